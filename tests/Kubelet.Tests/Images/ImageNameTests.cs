using System.Text;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Images;

public sealed class ImageNameTests
{
    private const string Digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("busybox", "busybox:latest")]
    [InlineData("busybox:1.36", "busybox:1.36")]
    [InlineData("busybox" + Digest, "busybox" + Digest)]
    [InlineData("host:5000/a/b", "host:5000/a/b:latest")]
    [InlineData("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10")]
    [InlineData("localhost/x", "localhost/x:latest")]
    [InlineData("[::1]:5000/x:y", "[::1]:5000/x:y")]
    public void A_name_without_tag_and_digest_means_latest(string image, string expected) => Assert.Equal(expected, ImageName.WithTag(image));

    [Theory]
    [InlineData("")]
    [InlineData("Busybox")]
    [InlineData("busy box")]
    [InlineData("busybox:")]
    [InlineData("a//b")]
    [InlineData("../x")]
    [InlineData("x@sha256:12")]
    public void Impossible_names_are_refused(string image) => Assert.Null(ImageName.WithTag(image));

    [Theory]
    [InlineData("https://index.docker.io/v1/", "busybox:latest", true)]
    [InlineData("docker.io", "library/busybox:1", true)]
    [InlineData("registry.example", "registry.example/a/b:1", true)]
    [InlineData("registry.example/a", "registry.example/a/b:1", true)]
    [InlineData("registry.example/b", "registry.example/a/b:1", false)]
    [InlineData("*.example", "registry.example/a:1", true)]
    [InlineData("*.example", "a.registry.example/a:1", false)]
    [InlineData("registry.example:5000", "registry.example/a:1", false)]
    [InlineData("registry.example:5000", "registry.example:5000/a:1", true)]
    public void Credentials_go_to_the_registries_their_key_names_and_to_no_other(string key, string image, bool fits)
    {
        string auth = Convert.ToBase64String(Encoding.UTF8.GetBytes("user:pa:ss"));
        Secret secret = Of("kubernetes.io/dockerconfigjson", ".dockerconfigjson", $"{{\"auths\":{{\"{key}\":{{\"auth\":\"{auth}\"}}}}}}");
        IReadOnlyList<RegistryCredential> found = PullCredentials.Find([secret], image);
        Assert.Equal(fits ? 1 : 0, found.Count);
        Assert.All(found, c => Assert.Equal(("user", "pa:ss"), (c.Username, c.Password)));
    }

    [Fact]
    public void The_old_format_is_read_too_and_the_most_specific_key_comes_first()
    {
        Secret secret = Of("kubernetes.io/dockercfg", ".dockercfg",
            """{"r.example":{"username":"all","password":"1"},"r.example/team":{"username":"team","password":"2"}}""");
        Assert.Equal(["team", "all"], PullCredentials.Find([secret], "r.example/team/app:1").Select(c => c.Username));
    }

    [Fact]
    public void A_broken_secret_is_named_and_not_shown()
    {
        FormatException e = Assert.Throws<FormatException>(() => PullCredentials.Find([Of("kubernetes.io/dockerconfigjson", ".dockerconfigjson", "{hush")], "x:1"));
        Assert.Contains("default/pull", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", e.Message, StringComparison.Ordinal);
    }

    private static Secret Of(string type, string key, string content) => new()
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = "pull" },
        Type = type,
        Data = new Dictionary<string, byte[]> { [key] = Encoding.UTF8.GetBytes(content) },
    };
}
