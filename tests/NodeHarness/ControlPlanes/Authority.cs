using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodeAgent.Kubernetes.Kubeconfig;

namespace NodeAgent.Harness.ControlPlanes;

/// <summary>A certificate authority of the harness's own, and the certificates and kubeconfigs it makes; PEM files in one folder.</summary>
public sealed class Authority
{
    private readonly string _folder;
    private readonly X509Certificate2 _certificate;

    private Authority(string folder, X509Certificate2 certificate) => (_folder, _certificate) = (folder, certificate);

    /// <summary>The authority's certificate, PEM.</summary>
    public string CertificateFile => PathOf("ca.crt");

    /// <summary>Makes the authority, ca.crt and ca.key, and a key pair for service account tokens, sa.key and sa.pub.</summary>
    public static Authority Create(string folder)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=kubernetes", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(
            X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign | X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        Authority authority = new(folder, request.CreateSelfSigned(now.AddHours(-1), now.AddDays(30)));
        authority.Write("ca", authority._certificate, key);
        using ECDsa tokens = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        WriteSecret(authority.PathOf("sa.key"), tokens.ExportECPrivateKeyPem() + "\n");
        File.WriteAllText(authority.PathOf("sa.pub"), tokens.ExportSubjectPublicKeyInfoPem() + "\n");
        return authority;
    }

    /// <summary>The path of a file of the authority.</summary>
    public string PathOf(string file) => Path.Combine(_folder, file);

    /// <summary>Makes NAME.crt and NAME.key, good for servers and clients.</summary>
    public void Issue(string name, string user, IEnumerable<string>? groups = null, IEnumerable<string>? serverNames = null)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        X500DistinguishedNameBuilder subject = new();
        foreach (string group in groups ?? [])
            subject.AddOrganizationName(group);
        subject.AddCommonName(user);
        CertificateRequest request = new(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], false));
        SubjectAlternativeNameBuilder names = new();
        foreach (string server in serverNames ?? ["localhost"])
        {
            if (IPAddress.TryParse(server, out IPAddress? address)) names.AddIpAddress(address);
            else names.AddDnsName(server);
        }
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 certificate = request.Create(_certificate, now.AddMinutes(-30), now.AddDays(29), RandomNumberGenerator.GetBytes(12));
        Write(name, certificate, key);
    }

    /// <summary>Writes a kubeconfig with everything inline.</summary>
    public string Kubeconfig(string name, string server)
    {
        KubeconfigFile file = KubeconfigReader.Parse($"""
            apiVersion: v1
            kind: Config
            current-context: c
            clusters:
            - name: c
              cluster:
                server: {server}
                certificate-authority-data: {Inline("ca.crt")}
            users:
            - name: u
              user:
                client-certificate-data: {Inline(name + ".crt")}
                client-key-data: {Inline(name + ".key")}
            contexts:
            - name: c
              context: {"{"}cluster: c, user: u{"}"}
            """);
        string path = PathOf(name + ".conf");
        KubeconfigWriter.Write(file, path);
        return path;
    }

    private string Inline(string file) => Convert.ToBase64String(File.ReadAllBytes(PathOf(file)));

    private void Write(string name, X509Certificate2 certificate, ECDsa key)
    {
        File.WriteAllText(PathOf(name + ".crt"), certificate.ExportCertificatePem() + "\n");
        WriteSecret(PathOf(name + ".key"), key.ExportECPrivateKeyPem() + "\n");
    }

    private static void WriteSecret(string path, string text)
    {
        using StreamWriter writer = new(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        writer.Write(text);
    }
}
