using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NodeAgent.Kubernetes.Tests.Rest;

/// <summary>A certificate authority of a test, and what it signs.</summary>
internal sealed class TestCertificates : IDisposable
{
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset To = new(2090, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    internal TestCertificates()
    {
        CertificateRequest request = new("CN=test-ca", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        Authority = request.CreateSelfSigned(From, To);
    }

    internal X509Certificate2 Authority { get; }

    internal string AuthorityPem => Authority.ExportCertificatePem();

    internal (string Certificate, string Key) Issue(string name, bool rsa = false, string? dns = null, IPAddress? address = null)
    {
        using RSA? rsaKey = rsa ? RSA.Create(2048) : null;
        using ECDsa? ecKey = rsa ? null : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = rsa
            ? new CertificateRequest($"CN={name}", rsaKey!, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest($"CN={name}", ecKey!, HashAlgorithmName.SHA256);
        if (dns is not null || address is not null)
        {
            SubjectAlternativeNameBuilder names = new();
            if (dns is not null)
                names.AddDnsName(dns);
            if (address is not null)
                names.AddIpAddress(address);
            request.CertificateExtensions.Add(names.Build());
        }
        return (Sign(request), rsa ? rsaKey!.ExportRSAPrivateKeyPem() : ecKey!.ExportECPrivateKeyPem());
    }

    internal string Sign(CertificateRequest request)
    {
        using X509Certificate2 signed = request.Create(
            Authority.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), From.AddDays(1), To.AddDays(-1), RandomNumberGenerator.GetBytes(8));
        return signed.ExportCertificatePem();
    }

    internal X509Certificate2 Server(string? dns = null)
    {
        (string certificate, string key) = Issue("server", dns: dns ?? "localhost", address: dns is null ? IPAddress.Loopback : null);
        return X509Certificate2.CreateFromPem(certificate, key);
    }

    public void Dispose()
    {
        Authority.Dispose();
        _key.Dispose();
    }
}
