using System.Net;
using System.Security.Cryptography;
using NodeAgent.Harness.ControlPlanes;

namespace NodeAgent.EndToEnd;

/// <summary>What the demo downloads where no control plane is at hand.</summary>
public sealed class OfficialReleaseTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("release-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private sealed class Site(Func<string, byte[]?> file) : HttpMessageHandler
    {
        internal int Asked { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked++;
            byte[]? body = file(request.RequestUri!.AbsolutePath);
            return Task.FromResult(body is null ? new HttpResponseMessage(HttpStatusCode.NotFound)
                : new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(body) });
        }
    }

    private static byte[] Program(string path) => System.Text.Encoding.ASCII.GetBytes("program " + Path.GetFileName(path));

    private static byte[] Sum(string path) => System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(Program(path[..^".sha256".Length]))) + "\n");

    [Fact]
    public async Task Programs_with_the_right_sum_are_kept_and_not_asked_for_again()
    {
        using Site site = new(path => path.EndsWith(".sha256", StringComparison.Ordinal) ? Sum(path) : Program(path));
        using HttpClient http = new(site);
        OfficialRelease release = new(http, new Uri("https://releases.test/release/"), "v1.36.2", _folder, _ => { });
        Assert.Equal(_folder, await release.FetchAsync(CancellationToken.None));
        string server = Path.Combine(_folder, "kube-apiserver");
        Assert.Equal("program kube-apiserver", await File.ReadAllTextAsync(server));
        Assert.True(File.GetUnixFileMode(server).HasFlag(UnixFileMode.UserExecute));
        int asked = site.Asked;
        await release.FetchAsync(CancellationToken.None);
        Assert.Equal(asked, site.Asked);
    }

    [Fact]
    public async Task A_program_with_a_wrong_sum_is_refused_and_nothing_of_it_is_kept()
    {
        using Site site = new(path => path.EndsWith(".sha256", StringComparison.Ordinal) ? Sum("other.sha256") : Program(path));
        using HttpClient http = new(site);
        OfficialRelease release = new(http, new Uri("https://releases.test/release/"), "v1.36.2", _folder, _ => { });
        InvalidDataException error = await Assert.ThrowsAsync<InvalidDataException>(() => release.FetchAsync(CancellationToken.None));
        Assert.Contains("SHA-256", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData(null, "https://dl.k8s.io/release/")]
    [InlineData("https://mirror.test/k8s", "https://mirror.test/k8s/")]
    [InlineData("off", null)]
    public void The_source_can_be_another_or_none(string? setting, string? source) => Assert.Equal(source, OfficialRelease.Source(setting)?.ToString());
}
