using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Certificate authorities that never change.</summary>
public sealed class FixedCertificateAuthorities(X509Certificate2Collection certificates) : ICertificateAuthoritySource
{
    /// <inheritdoc/>
    public X509Certificate2Collection Get() => certificates;

    /// <summary>Reads PEM text.</summary>
    /// <exception cref="CryptographicException">The text holds no certificate.</exception>
    public static FixedCertificateAuthorities FromPem(string pem)
    {
        X509Certificate2Collection certificates = [];
        certificates.ImportFromPem(pem);
        return certificates.Count == 0
            ? throw new CryptographicException("no CERTIFICATE block in PEM form found")
            : new FixedCertificateAuthorities(certificates);
    }
}

/// <summary>Certificate authorities in a PEM file, looked at before requests, at most once a minute. An unreadable file keeps the last ones.</summary>
public sealed class FileCertificateAuthorities(string path, TimeProvider time) : ICertificateAuthoritySource
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);
    private readonly Lock _gate = new();
    private X509Certificate2Collection? _current;
    private FileStamp _stamp;
    private long _lookedAt;

    /// <inheritdoc/>
    public X509Certificate2Collection Get()
    {
        lock (_gate)
        {
            if (_current is null || time.GetElapsedTime(_lookedAt) >= Period)
                Look();
            return _current!;
        }
    }

    private void Look()
    {
        _lookedAt = time.GetTimestamp();
        FileStamp stamp = FileStamp.Of(path);
        if (_current is not null && stamp == _stamp)
            return;
        try
        {
            _current = FixedCertificateAuthorities.FromPem(File.ReadAllText(path)).Get();
            _stamp = stamp;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            if (_current is null)
                throw new ApiUnreachableException($"certificate authority file {path}: {e.Message}", e);
        }
    }
}
