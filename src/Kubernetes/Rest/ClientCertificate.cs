using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>A certificate with its private key and intermediates, ready for TLS.</summary>
public sealed class ClientCertificate
{
    private ClientCertificate(X509Certificate2 leaf, SslStreamCertificateContext context)
    {
        Leaf = leaf;
        Context = context;
    }

    /// <summary>The certificate with its private key.</summary>
    public X509Certificate2 Leaf { get; }

    /// <summary>What TLS sends: leaf and intermediates.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <summary>Reads PEM text; RSA and EC keys in PKCS#1, SEC1 or PKCS#8 form. Both texts may be the same.</summary>
    /// <exception cref="CryptographicException">A text is no such PEM, or key and certificate do not belong together.</exception>
    public static ClientCertificate FromPem(string certificatePem, string keyPem)
    {
        X509Certificate2 leaf = X509Certificate2.CreateFromPem(certificatePem, keyPem);
        X509Certificate2Collection all = [];
        all.ImportFromPem(certificatePem);
        X509Certificate2Collection intermediates = [.. all.Skip(1)];
        return new ClientCertificate(leaf, SslStreamCertificateContext.Create(leaf, intermediates, offline: true));
    }
}

/// <summary>A certificate that never changes.</summary>
public sealed class FixedClientCertificate(ClientCertificate certificate) : IClientCertificateSource
{
    /// <inheritdoc/>
    public ValueTask<ClientCertificate?> GetAsync(CancellationToken cancellationToken) => new(certificate);
}

/// <summary>
/// A certificate and key in files. The files are looked at before a request when the last look is more than five seconds ago;
/// nothing runs between requests. While a new pair is half written, the old one stays.
/// </summary>
public sealed class FileClientCertificate(string certificatePath, string keyPath, TimeProvider time) : IClientCertificateSource
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private ClientCertificate? _current;
    private FileStamp _certificateStamp;
    private FileStamp _keyStamp;
    private long _lookedAt;

    /// <inheritdoc/>
    public ValueTask<ClientCertificate?> GetAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_current is null || time.GetElapsedTime(_lookedAt) >= Period)
                Look();
            return new(_current);
        }
    }

    /// <summary>Reads the files now, so that a defect shows at once.</summary>
    internal FileClientCertificate Probe()
    {
        lock (_gate)
            Look();
        return this;
    }

    private void Look()
    {
        _lookedAt = time.GetTimestamp();
        FileStamp certificate = FileStamp.Of(certificatePath), key = FileStamp.Of(keyPath);
        if (_current is not null && certificate == _certificateStamp && key == _keyStamp)
            return;
        try
        {
            ClientCertificate next = ClientCertificate.FromPem(File.ReadAllText(certificatePath), File.ReadAllText(keyPath));
            if (_current is null || !next.Leaf.RawDataMemory.Span.SequenceEqual(_current.Leaf.RawDataMemory.Span))
                _current = next;
            (_certificateStamp, _keyStamp) = (certificate, key);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            if (_current is null)
                throw new ApiUnreachableException($"client certificate {certificatePath} with key {keyPath}: {e.Message}", e);
        }
    }
}

/// <summary>A file's identity and time of change, its links followed: a switch of a link above or at it changes the stamp.</summary>
/// <param name="Target">Where the file's own link leads.</param>
/// <param name="Written">Its last change, UTC.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct FileStamp(string Target, DateTime Written, long Length)
{
    /// <summary>The stamp now; the default where there is no such file.</summary>
    public static FileStamp Of(string path)
    {
        try
        {
            FileSystemInfo file = File.ResolveLinkTarget(path, returnFinalTarget: true) ?? new FileInfo(path);
            if (file is not FileInfo { Exists: true } found)
                return default;
            // A mounted Secret is switched by a link above the file; times of files written one after the other may be the same.
            string folder = found.Directory?.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? found.DirectoryName ?? "";
            return new FileStamp(Path.Combine(folder, found.Name), found.LastWriteTimeUtc, found.Length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }
}
