using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Images;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Images;

public sealed class ImagePullRecordsTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("records");
    private readonly FakeTimeProvider _time = new();

    private string Pulled => Path.Combine(_root.FullName, "image_manager", "pulled");

    private string Pulling => Path.Combine(_root.FullName, "image_manager", "pulling");

    private ImagePullRecords Records(string policy = "NeverVerifyPreloadedImages") => new(_root.FullName, new PullVerification(policy, []), _time, NullLogger<ImagePullRecords>.Instance);

    private static Task<bool> MustPullAsync(ImagePullRecords records, string image, string reference, params RegistryCredential[] credentials) =>
        records.MustPullAsync(image, reference, () => Task.FromResult<IReadOnlyList<RegistryCredential>>(credentials));

    private static RegistryCredential Of(string name, string password = "p", string uid = "u") => new("user", password) { Secret = new CredentialOwner(uid, "ns", name) };

    [Fact]
    public void File_names_are_the_hash_of_what_they_are_about_as_the_Go_kubelet_computes_it()
    {
        Records().Begin("docker.io/library/nginx:1.27");
        string file = Assert.Single(Directory.GetFiles(Pulling));
        Assert.Equal("sha256-6965a10c15290ad0b29ca7fd1866de1850408b3cb15fb11a3bbbbc2fddb158bd", Path.GetFileName(file));
        Assert.Equal("{\"kind\":\"ImagePullIntent\",\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\",\"image\":\"docker.io/library/nginx:1.27\"}\n", File.ReadAllText(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Pulled));
    }

    [Fact]
    public void A_record_is_written_as_the_Go_kubelet_reads_it()
    {
        Records().Pulled("r.example/app:1", "sha256:1", Of("pull"));
        string text = File.ReadAllText(Assert.Single(Directory.GetFiles(Pulled)));
        Assert.Equal("{\"kind\":\"ImagePulledRecord\",\"apiVersion\":\"kubelet.config.k8s.io/v1beta1\",\"lastUpdatedTime\":\"2026-01-02T03:04:05Z\",\"imageRef\":\"sha256:1\","
            + "\"credentialMapping\":{\"r.example/app\":{\"kubernetesSecrets\":[{\"uid\":\"u\",\"namespace\":\"ns\",\"name\":\"pull\",\"credentialHash\":\""
            + Of("pull").Hash() + "\"}]}}}\n", text);
        Assert.Equal(text, Encoding.UTF8.GetString(PullRecordFormat.Pulled(PullRecordFormat.Pulled(Encoding.UTF8.GetBytes(text)))));
    }

    [Fact]
    public void A_credential_s_hash_is_over_upstream_s_JSON_of_it()
    {
        string json = "{\"username\":\"a\\u003cb\",\"password\":\"\\\"ü\"}";
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(json))), new RegistryCredential("a<b", "\"ü").Hash());
    }

    [Fact]
    public async Task Whoever_has_the_secret_the_same_content_or_the_account_may_use_the_image()
    {
        ImagePullRecords records = Records();
        records.Pulled("app:1", "sha256:1", Of("pull", "old"));
        Assert.False(await MustPullAsync(records, "app:1", "sha256:1", Of("pull", "rotated")), "the same secret with a new password");
        Assert.False(await MustPullAsync(records, "app:1", "sha256:1", Of("copy", "rotated", "u2")), "the content was learnt");
        Assert.True(await MustPullAsync(records, "app:1", "sha256:1", Of("pull", "x", "another uid")));
        Assert.True(await MustPullAsync(records, "app:1", "sha256:1"));
        Assert.True(await MustPullAsync(records, "alias:1", "sha256:1", Of("pull", "rotated")), "another name may be another registry");
        var account = new CredentialOwner("sa-uid", "ns", "builder");
        records.Pulled("app:1", "sha256:1", new RegistryCredential("", "") { ServiceAccount = account });
        Assert.False(await MustPullAsync(records, "app:1", "sha256:1", new RegistryCredential("t", "t") { ServiceAccount = account }));
        records.Pulled("app:1", "sha256:1", null);
        Assert.False(await MustPullAsync(records, "app:1", "sha256:1"));
    }

    [Theory]
    [InlineData("NeverVerify", false, false)]
    [InlineData("NeverVerifyPreloadedImages", false, true)]
    [InlineData("AlwaysVerify", true, true)]
    public void Policies_differ_in_what_needs_a_proof(string policy, bool preloaded, bool pulled)
    {
        var verification = new PullVerification(policy, []);
        Assert.Equal((preloaded, pulled), (verification.IsRequired("x:1", false), verification.IsRequired("x:1", true)));
    }

    [Theory]
    [InlineData("r.example/app:1", false)]
    [InlineData("r.example/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false)]
    [InlineData("r.example/apple", true)]
    [InlineData("team.example/any/thing:2", false)]
    [InlineData("team.example.org/any", true)]
    public void The_allowlist_has_names_and_prefixes(string image, bool required) =>
        Assert.Equal(required, new PullVerification("NeverVerifyAllowlistedImages", ["r.example/app", "team.example/*"]).IsRequired(image, true));

    [Theory]
    [InlineData("app:1")]
    [InlineData(" app")]
    [InlineData("a*/b")]
    [InlineData("/*")]
    [InlineData("APP")]
    public void Entries_that_are_neither_are_refused(string entry) =>
        Assert.Contains(entry, Assert.Throws<FormatException>(() => new PullVerification("NeverVerifyAllowlistedImages", [entry])).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_pull_cut_off_by_the_agent_s_end_counts_as_pulled_by_nobody_in_particular()
    {
        Records().Begin("app:1");
        var images = new FakeImages();
        images.Add("app:1");
        ImagePullRecords next = Records();
        Assert.True(await MustPullAsync(next, "app:1", FakeImages.IdOf("app:1")), "the intent alone says it");
        await next.RecoverAsync(images, default);
        Assert.Empty(Directory.GetFiles(Pulling));
        Assert.True(await MustPullAsync(next, "app:1", FakeImages.IdOf("app:1"), Of("pull")));
    }

    [Fact]
    public async Task A_broken_record_asks_for_a_pull_and_is_replaced_by_it()
    {
        Records().Pulled("app:1", "sha256:1", null);
        File.WriteAllText(Assert.Single(Directory.GetFiles(Pulled)), "{ half");
        ImagePullRecords records = Records();
        Assert.True(await MustPullAsync(records, "app:1", "sha256:1"));
        records.Pulled("app:1", "sha256:1", null);
        Assert.False(await MustPullAsync(records, "app:1", "sha256:1"));
    }

    [Fact]
    public async Task A_record_is_read_once_and_what_is_written_or_removed_since_counts()
    {
        Records().Pulled("app:1", "sha256:1", Of("pull"));
        ImagePullRecords records = Records();
        Assert.True(await MustPullAsync(records, "app:1", "sha256:1"));
        File.Delete(Assert.Single(Directory.GetFiles(Pulled)));
        Assert.True(await MustPullAsync(records, "app:1", "sha256:1"), "from memory");
        records.Pulled("app:1", "sha256:1", null);
        Assert.False(await MustPullAsync(records, "app:1", "sha256:1"));
        Assert.Contains("nodePodsAccessible", File.ReadAllText(Assert.Single(Directory.GetFiles(Pulled))), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(1));
        records.Prune([], _time.GetUtcNow());
        Assert.Empty(Directory.GetFiles(Pulled));
        records.Pulled("app:1", "sha256:1", Of("pull"));
        Assert.True(await MustPullAsync(records, "app:1", "sha256:1"), "nothing of the removed record is left");
    }

    [Fact]
    public void Records_of_images_that_are_gone_go_unless_they_are_newer_than_the_list()
    {
        ImagePullRecords records = Records();
        records.Pulled("gone:1", "sha256:1", null);
        records.Pulled("stays:1", "sha256:2", null);
        _time.Advance(TimeSpan.FromMinutes(1));
        DateTimeOffset listed = _time.GetUtcNow();
        records.Pulled("new:1", "sha256:3", null);
        records.Prune(["sha256:2"], listed);
        Assert.Equal(2, Directory.GetFiles(Pulled).Length);
    }

    public void Dispose() => _root.Delete(recursive: true);
}
