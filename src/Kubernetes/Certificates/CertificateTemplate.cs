using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace NodeAgent.Kubernetes.Certificates;

/// <summary>What a certificate is to say.</summary>
/// <param name="CommonName">The subject's common name, for example system:node:worker-1.</param>
/// <param name="Organizations">The subject's organizations (the API's groups), for example system:nodes.</param>
public sealed record CertificateTemplate(string CommonName, IReadOnlyList<string> Organizations)
{
    /// <summary>DNS names, for serving certificates.</summary>
    public IReadOnlyList<string> DnsNames { get; init; } = [];

    /// <summary>Addresses, for serving certificates.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; init; } = [];

    /// <summary>The subject that makes a client a node.</summary>
    public static CertificateTemplate Node(string nodeName) => new($"system:node:{nodeName}", ["system:nodes"]);

    /// <summary>The certificate request in PEM form, signed with <paramref name="key"/>.</summary>
    internal string SignRequest(PrivateKey key)
    {
        X500DistinguishedNameBuilder subject = new();
        // The builder encodes in reverse: organizations first, then the name, as upstream.
        subject.AddCommonName(CommonName);
        foreach (string organization in Organizations.Reverse())
            subject.AddOrganizationName(organization);
        CertificateRequest request = key.Request(subject.Build());
        if (DnsNames.Count + Addresses.Count > 0)
        {
            SubjectAlternativeNameBuilder names = new();
            foreach (string name in DnsNames)
                names.AddDnsName(name);
            foreach (IPAddress address in Addresses)
                names.AddIpAddress(address);
            request.CertificateExtensions.Add(names.Build());
        }
        return request.CreateSigningRequestPem();
    }

    /// <summary>True when <paramref name="certificate"/> has this subject and at least these names.</summary>
    internal bool IsSatisfiedBy(X509Certificate2 certificate)
    {
        if (certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) != CommonName)
            return false;
        HashSet<string> organizations = [.. certificate.SubjectName.EnumerateRelativeDistinguishedNames()
            .Where(part => !part.HasMultipleElements && part.GetSingleElementType().Value == "2.5.4.10")
            .Select(part => part.GetSingleElementValue() ?? "")];
        X509SubjectAlternativeNameExtension? names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        HashSet<string> dns = [.. names?.EnumerateDnsNames() ?? []];
        HashSet<IPAddress> addresses = [.. names?.EnumerateIPAddresses() ?? []];
        return Organizations.All(organizations.Contains) && DnsNames.All(dns.Contains) && Addresses.All(addresses.Contains);
    }

    /// <summary>The name of the request that upstream's kubelet makes for the same key: an agent that starts again finds it.</summary>
    internal string DigestedName(PrivateKey key, IReadOnlyList<string> usages)
    {
        StringBuilder text = new();
        Append(text, key.PublicKeyInfo());
        Append(text, Encoding.UTF8.GetBytes(CommonName));
        foreach (string part in (IEnumerable<string>)[.. Organizations, .. usages])
            Append(text, Encoding.UTF8.GetBytes(part));
        return "node-csr-" + Encode(Sha512Slash256.Hash(Encoding.ASCII.GetBytes(text.ToString())));
    }

    private static void Append(StringBuilder text, byte[] part) => text.Append(Encode(part)).Append('|');

    private static string Encode(byte[] data) => System.Buffers.Text.Base64Url.EncodeToString(data);
}

/// <summary>An EC or RSA private key.</summary>
internal sealed class PrivateKey : IDisposable
{
    private readonly ECDsa? _ec;
    private readonly RSA? _rsa;

    private PrivateKey(ECDsa? ec, RSA? rsa) => (_ec, _rsa) = (ec, rsa);

    internal bool IsRsa => _rsa is not null;

    /// <summary>A new key on P-256, as upstream.</summary>
    internal static PrivateKey Generate() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256), null);

    /// <exception cref="CryptographicException">The text has neither an EC nor an RSA key.</exception>
    internal static PrivateKey FromPem(string pem)
    {
        try
        {
            ECDsa ec = ECDsa.Create();
            ec.ImportFromPem(pem);
            return new PrivateKey(ec, null);
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            RSA rsa = RSA.Create();
            try
            {
                rsa.ImportFromPem(pem);
                return new PrivateKey(null, rsa);
            }
            catch (ArgumentException none)
            {
                throw new CryptographicException("no EC or RSA private key in PEM form found", none);
            }
        }
    }

    internal string ToPem() => _ec is not null ? _ec.ExportECPrivateKeyPem() : _rsa!.ExportRSAPrivateKeyPem();

    internal byte[] PublicKeyInfo() => _ec is not null ? _ec.ExportSubjectPublicKeyInfo() : _rsa!.ExportSubjectPublicKeyInfo();

    internal CertificateRequest Request(X500DistinguishedName subject) => _ec is not null
        ? new CertificateRequest(subject, _ec, HashAlgorithmName.SHA256)
        : new CertificateRequest(subject, _rsa!, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);

    /// <summary>The usages of a request: key encipherment only where the key can do it.</summary>
    internal IReadOnlyList<string> Usages(string purpose, bool digestOrder = false)
    {
        if (!IsRsa)
            return ["digital signature", purpose];
        return digestOrder ? ["digital signature", purpose, "key encipherment"] : ["key encipherment", "digital signature", purpose];
    }

    public void Dispose()
    {
        _ec?.Dispose();
        _rsa?.Dispose();
    }
}
