using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodeAgent.Kubelet.Server;

namespace NodeAgent.Kubelet.Tests.Server;

public sealed class ClientCABundleTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("client-ca").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("no certificate\n")]
    public void A_file_that_gives_no_authority_refuses_the_start_and_names_field_and_file(string? content)
    {
        string file = Path.Combine(folder, "ca.crt");
        if (content is not null)
            File.WriteAllText(file, content);
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => ClientCABundle.Open(file, TimeProvider.System));
        Assert.Contains($"authentication.x509.clientCAFile {file}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_with_an_authority_is_taken()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 authority = new CertificateRequest("CN=ca", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddHours(1));
        string file = Path.Combine(folder, "ca.crt");
        File.WriteAllText(file, authority.ExportCertificatePem());
        Assert.Equal(authority.Thumbprint, Assert.Single(ClientCABundle.Open(file, TimeProvider.System).Current!).Thumbprint);
    }
}
