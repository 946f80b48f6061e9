using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Server;

/// <summary>Gives the certificate the server shows; asked at each handshake.</summary>
public interface IServingCertificate
{
    /// <summary>The certificate with its key and intermediates; null where there is none yet (handshakes then fail).</summary>
    SslStreamCertificateContext? Current { get; }
}

/// <summary>Certificate and key from two PEM files; read again when either changed, looked at once a minute at most.</summary>
/// <param name="certificateFile">tlsCertFile or kubelet.crt.</param>
/// <param name="keyFile">tlsPrivateKeyFile or kubelet.key.</param>
/// <param name="time">Clock.</param>
public sealed class FileServingCertificate(string certificateFile, string keyFile, TimeProvider time) : IServingCertificate
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private SslStreamCertificateContext? _current;
    private (FileStamp, FileStamp) _stamp;
    private long? _looked;

    /// <inheritdoc/>
    public SslStreamCertificateContext? Current
    {
        get
        {
            lock (_lock)
            {
                if (_looked is { } looked && time.GetElapsedTime(looked) < LookPeriod)
                {
                    return _current;
                }

                _looked = time.GetTimestamp();
                (FileStamp, FileStamp) stamp = (FileStamp.Of(certificateFile), FileStamp.Of(keyFile));
                if (_current is null || stamp != _stamp)
                {
                    Reload(stamp);
                }

                return _current;
            }
        }
    }

    // A half-written pair does not match and throws; the old one stays until the next look.
    private void Reload((FileStamp, FileStamp) stamp)
    {
        try
        {
            _current = ClientCertificate.FromPem(File.ReadAllText(certificateFile), File.ReadAllText(keyFile)).Context;
            _stamp = stamp;
        }
        catch (Exception e) when (_current is not null && e is IOException or CryptographicException or ArgumentException)
        {
            _looked = null;
        }
    }
}

/// <summary>Makes the pair kubelet.crt and kubelet.key where none is usable: a CA of its own signs it for a year. Source: cert.GenerateSelfSignedCertKey.</summary>
public static class SelfSignedServingCertificate
{
    /// <summary>The pair's files; made where they are missing or cannot be read.</summary>
    /// <param name="folder">--cert-dir.</param>
    /// <param name="hostname">Name in the certificate.</param>
    /// <param name="addresses">Addresses in the certificate.</param>
    /// <param name="now">Validity begins an hour before.</param>
    public static (string CertificateFile, string KeyFile) Ensure(string folder, string hostname, IReadOnlyList<IPAddress> addresses, DateTimeOffset now)
    {
        string certificateFile = Path.Combine(folder, "kubelet.crt"), keyFile = Path.Combine(folder, "kubelet.key");
        if (!IsUsable(certificateFile, keyFile))
        {
            Directory.CreateDirectory(folder);
            (string certificate, string key) = Generate(hostname, addresses, now);
            Write(keyFile, key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            Write(certificateFile, certificate, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }

        return (certificateFile, keyFile);
    }

    /// <summary>PEM of the chain (leaf, then CA) and of the leaf's key.</summary>
    public static (string Certificate, string Key) Generate(string hostname, IReadOnlyList<IPAddress> addresses, DateTimeOffset now)
    {
        DateTimeOffset from = now.AddHours(-1), until = from.AddDays(365);
        long unix = now.ToUnixTimeSeconds();
        using RSA authorityKey = RSA.Create(2048);
        CertificateRequest authorityRequest = new($"CN={hostname}-ca@{unix}", authorityKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        authorityRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, true));
        using X509Certificate2 authority = authorityRequest.CreateSelfSigned(from, until);
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new($"CN={hostname}@{unix}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        SubjectAlternativeNameBuilder names = new();
        if (IPAddress.TryParse(hostname, out IPAddress? asAddress))
        {
            names.AddIpAddress(asAddress);
        }
        else
        {
            names.AddDnsName(hostname);
        }

        foreach (IPAddress address in addresses)
        {
            names.AddIpAddress(address);
        }

        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 leaf = request.Create(authority, from, until, RandomNumberGenerator.GetBytes(8));
        return (leaf.ExportCertificatePem() + "\n" + authority.ExportCertificatePem() + "\n", key.ExportRSAPrivateKeyPem() + "\n");
    }

    private static bool IsUsable(string certificateFile, string keyFile)
    {
        try
        {
            using X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(certificateFile, keyFile);
            return true;
        }
        catch (Exception e) when (e is IOException or CryptographicException or ArgumentException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void Write(string file, string text, UnixFileMode mode)
    {
        string temporary = file + ".tmp";
        File.Delete(temporary);
        using (FileStream stream = new(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, file, overwrite: true);
    }
}
