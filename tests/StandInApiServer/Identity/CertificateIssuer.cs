using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodeAgent.Kubernetes.Certificates;

namespace NodeAgent.StandIn.Identity;

/// <summary>A certificate authority of our own, for the server, clients and kubelets.</summary>
internal sealed class CertificateIssuer
{
    private const string ServerUsage = "1.3.6.1.5.5.7.3.1";
    private const string ClientUsage = "1.3.6.1.5.5.7.3.2";
    private readonly X509Certificate2 _authority;

    private CertificateIssuer(X509Certificate2 authority) => _authority = authority;

    /// <summary>The authority's certificate as PEM.</summary>
    public string CertificatePem => _authority.ExportCertificatePem() + "\n";

    public static CertificateIssuer Create()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=kubernetes", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return new CertificateIssuer(request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddYears(10)));
    }

    /// <summary>The authority in the folder, made there when absent (ca.crt, ca.key).</summary>
    public static CertificateIssuer InFolder(string folder)
    {
        string certificate = Path.Combine(folder, "ca.crt"), key = Path.Combine(folder, "ca.key");
        if (File.Exists(certificate) && File.Exists(key))
            return new CertificateIssuer(X509Certificate2.CreateFromPemFile(certificate, key));
        CertificateIssuer issuer = Create();
        using ECDsa privateKey = issuer._authority.GetECDsaPrivateKey()!;
        SecretFile.Write(key, System.Text.Encoding.ASCII.GetBytes(privateKey.ExportECPrivateKeyPem() + "\n"));
        File.WriteAllText(certificate, issuer.CertificatePem);
        return issuer;
    }

    /// <summary>A client's certificate and key as PEM.</summary>
    public (string Certificate, string Key) IssueClient(string commonName, params string[] organizations)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(SubjectOf(commonName, organizations), key, HashAlgorithmName.SHA256);
        using X509Certificate2 certificate = Sign(request, [ClientUsage], TimeSpan.FromDays(365));
        return (certificate.ExportCertificatePem() + "\n", key.ExportECPrivateKeyPem() + "\n");
    }

    /// <summary>The certificate this server shows.</summary>
    public X509Certificate2 IssueServer(IEnumerable<IPAddress> addresses, IEnumerable<string> names)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=kube-apiserver", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder alternatives = new();
        foreach (IPAddress address in addresses.Distinct())
            alternatives.AddIpAddress(address);
        foreach (string name in names.Distinct())
            alternatives.AddDnsName(name);
        request.CertificateExtensions.Add(alternatives.Build());
        using X509Certificate2 certificate = Sign(request, [ServerUsage], TimeSpan.FromDays(365));
        return X509CertificateLoader.LoadPkcs12(certificate.CopyWithPrivateKey(key).Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>Signs a request that was checked before; answers PEM.</summary>
    public string SignRequest(CertificateRequest request, bool server, TimeSpan lifetime)
    {
        CertificateRequest clean = new(request.SubjectName, request.PublicKey, HashAlgorithmName.SHA256);
        foreach (X509Extension extension in request.CertificateExtensions.Where(e => e.Oid?.Value == "2.5.29.17"))
            clean.CertificateExtensions.Add(extension);
        using X509Certificate2 certificate = Sign(clean, [server ? ServerUsage : ClientUsage], lifetime);
        return certificate.ExportCertificatePem() + "\n";
    }

    /// <summary>True when the certificate is ours, in time, and for clients.</summary>
    public bool AcceptsClient(X509Certificate2 certificate)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientUsage));
        return chain.Build(certificate);
    }

    private static X500DistinguishedName SubjectOf(string commonName, string[] organizations)
    {
        X500DistinguishedNameBuilder subject = new();
        foreach (string organization in organizations)
            subject.AddOrganizationName(organization);
        subject.AddCommonName(commonName);
        return subject.Build();
    }

    private X509Certificate2 Sign(CertificateRequest request, string[] usages, TimeSpan lifetime)
    {
        OidCollection oids = [];
        foreach (string usage in usages)
            oids.Add(new Oid(usage));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(oids, false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_authority, true, false));
        DateTimeOffset start = DateTimeOffset.UtcNow.AddMinutes(-5);
        byte[] serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f;
        using ECDsa key = _authority.GetECDsaPrivateKey()!;
        return request.Create(_authority.SubjectName, X509SignatureGenerator.CreateForECDsa(key), start, start + lifetime, serial);
    }
}
