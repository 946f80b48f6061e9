using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Tests.Pods;
using NodeAgent.Kubelet.Tests.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Images;

public sealed class ImageManagerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeImages _images = new();
    private readonly FakeObjectStore _objects = new();
    private readonly RecordedEvents _events = new();
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("images");

    private ImageManager Manager(ImageOptions? options = null, string? policy = "NeverVerifyPreloadedImages") => new(
        new ImageManagerParts(_images, _objects, _events, null, policy is null ? null
            : new ImagePullRecords(_root.FullName, new PullVerification(policy, []), _time, NullLogger<ImagePullRecords>.Instance)),
        options ?? ImageOptions.Default, _time);

    private static Pod Pod(string name = "web", params string[] secrets) => TestPods.Pod(name) is var p
        ? p with { Spec = p.Spec with { ImagePullSecrets = [.. secrets.Select(s => new LocalObjectReference { Name = s })] } } : null!;

    private static Task<ImageResult> EnsureAsync(ImageManager manager, Pod? pod = null, string image = "r.example/app:1", string policy = "IfNotPresent", CancellationToken cancellationToken = default) =>
        manager.EnsureAsync(pod ?? Pod(), "main", image, policy, new PodSandboxConfig(), null, cancellationToken);

    private void Secret(string name, string password) => _objects.Secrets[name] = new Secret
    {
        Metadata = new ObjectMeta { Namespace = "default", Name = name, Uid = "uid-" + name },
        Type = "kubernetes.io/dockerconfigjson",
        Data = new Dictionary<string, byte[]> { [".dockerconfigjson"] = System.Text.Encoding.UTF8.GetBytes($$"""{"auths":{"r.example":{"username":"u","password":"{{password}}"} } }""") },
    };

    private string[] Said() => [.. _events.All.Select(e => $"{e.Reason}: {e.Message}")];

    [Fact]
    public async Task A_pull_is_told_as_upstream_tells_it()
    {
        _images.Gate = new TaskCompletionSource();
        Task<ImageResult> pull = EnsureAsync(Manager());
        _time.Advance(TimeSpan.FromMilliseconds(65_250));
        _images.Gate.SetResult();
        Assert.IsType<ImageResult.Present>(await pull);
        Assert.Equal(
            [
                "Pulling: Pulling image \"r.example/app:1\"",
                "Pulled: Successfully pulled image \"r.example/app:1\" in 1m5.25s (1m5.25s including waiting). Image size: 42 bytes.",
            ],
            Said().Select(s => s.Replace("1m5.249s", "1m5.25s", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("NeverVerifyPreloadedImages", "Container image \"r.example/app:1\" already present on machine and can be accessed by the pod")]
    [InlineData(null, "Container image \"r.example/app:1\" already present on machine")]
    public async Task A_present_image_is_told_of_by_gate(string? policy, string text)
    {
        _images.Add("r.example/app:1");
        Assert.IsType<ImageResult.Present>(await EnsureAsync(Manager(policy: policy)));
        Assert.Equal(["Pulled: " + text], Said());
        Assert.Empty(_images.Pulls);
    }

    [Fact]
    public async Task Failures_back_off_by_doubling_up_to_five_minutes_and_begin_anew_after_ten()
    {
        ImageManager manager = Manager();
        _images.Error = "gone";
        foreach (int seconds in (int[])[10, 20, 40, 80, 160, 300, 300])
        {
            var failed = Assert.IsType<ImageResult.Failed>(await EnsureAsync(manager));
            Assert.Equal(("ErrImagePull", "gone", TimeSpan.FromSeconds(seconds)), (failed.Reason, failed.Message, failed.RetryAfter));
            var waits = Assert.IsType<ImageResult.Failed>(await EnsureAsync(manager));
            Assert.Equal(("ImagePullBackOff", "Back-off pulling image \"r.example/app:1\": ErrImagePull: gone"), (waits.Reason, waits.Message));
            _time.Advance(TimeSpan.FromSeconds(seconds));
        }

        _time.Advance(TimeSpan.FromSeconds(301));
        Assert.Equal(TimeSpan.FromSeconds(10), Assert.IsType<ImageResult.Failed>(await EnsureAsync(manager)).RetryAfter);
        Assert.Equal("Back-off pulling image \"r.example/app:1\"", _events.All.First(e => e.Reason == "BackOff").Message);
    }

    [Theory]
    [InlineData("RegistryUnavailable: dial timeout", "RegistryUnavailable", "image pull failed for r.example/app:1 because the registry is unavailable: dial timeout")]
    [InlineData("SignatureValidationFailed", "SignatureValidationFailed", "image pull failed for r.example/app:1 because the signature validation failed")]
    [InlineData("it says RegistryUnavailable", "ErrImagePull", "it says RegistryUnavailable")]
    public async Task Two_errors_have_names_of_their_own(string said, string reason, string message)
    {
        _images.Error = said;
        var failed = Assert.IsType<ImageResult.Failed>(await EnsureAsync(Manager()));
        Assert.Equal((reason, message), (failed.Reason, failed.Message));
    }

    [Fact]
    public async Task More_pulls_than_the_rate_allows_fail_and_back_off()
    {
        ImageManager manager = Manager(new ImageOptions(null) { PullsPerSecond = 1, Burst = 2 });
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, image: "r.example/a:1"));
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, image: "r.example/b:1"));
        Assert.Equal("pull QPS exceeded", Assert.IsType<ImageResult.Failed>(await EnsureAsync(manager, image: "r.example/c:1")).Message);
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, image: "r.example/c:1"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task No_more_pulls_run_at_once_than_are_allowed(int limit)
    {
        ImageManager manager = Manager(new ImageOptions(limit));
        _images.Gate = new TaskCompletionSource();
        Task<ImageResult>[] pulls = [.. Enumerable.Range(0, 4).Select(i => EnsureAsync(manager, image: $"r.example/{i}:1"))];
        Assert.Equal(limit, _images.Pulls.Count);
        Assert.Equal(4, _events.All.Count(e => e.Reason == "Pulling"));
        _images.Gate.SetResult();
        Assert.All(await Task.WhenAll(pulls), r => Assert.IsType<ImageResult.Present>(r));
    }

    [Fact]
    public async Task Every_credential_is_tried_and_a_missing_secret_is_told_once_for_the_pod()
    {
        Secret("wrong", "no");
        Secret("right", "yes");
        _images.Opens.Add("yes");
        Assert.IsType<ImageResult.Present>(await EnsureAsync(Manager(), Pod("web", "wrong", "absent", "right", "lost")));
        Assert.Equal(["no", "yes"], _images.Pulls);
        Assert.Contains("FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (absent, lost); attempting to pull the image may not succeed.", Said());
    }

    [Fact]
    public async Task Several_different_errors_are_all_told()
    {
        Secret("a", "1");
        _objects.Secrets["b"] = _objects.Secrets["a"] with
        {
            Data = new Dictionary<string, byte[]> { [".dockerconfigjson"] = System.Text.Encoding.UTF8.GetBytes("""{"auths":{"r.example":{"username":"v","password":"2"}}}""") },
        };
        _images.Opens.Add("other");
        Assert.Equal("[no entry with \"u\", no entry with \"v\"]", Assert.IsType<ImageResult.Failed>(await EnsureAsync(Manager(), Pod("web", "a", "b"))).Message);
    }

    [Fact]
    public async Task An_image_pulled_with_a_secret_is_only_for_those_who_have_it()
    {
        ImageManager manager = Manager();
        Secret("mine", "yes");
        _images.Opens.Add("yes");
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, Pod("owner", "mine")));
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, Pod("second", "mine")));
        Assert.Single(_images.Pulls);
        Assert.Equal("ErrImagePull", Assert.IsType<ImageResult.Failed>(await EnsureAsync(manager, Pod("thief"))).Reason);
        var never = Assert.IsType<ImageResult.Failed>(await EnsureAsync(manager, Pod("quiet"), policy: "Never"));
        Assert.Equal(("ErrImageNeverPull", "Container image \"r.example/app:1\" is not present with pull policy of Never"), (never.Reason, never.Message));

        // Another life of the agent knows it still, and so does one with a second secret of the same content.
        _objects.Secrets["copy"] = _objects.Secrets["mine"] with { Metadata = new ObjectMeta { Namespace = "default", Name = "copy", Uid = "other" } };
        Assert.IsType<ImageResult.Present>(await EnsureAsync(Manager(), Pod("third", "copy"), policy: "Never"));
        Assert.Equal(2, _images.Pulls.Count);
    }

    [Fact]
    public async Task An_image_pulled_by_anybody_is_for_all_and_preloaded_ones_too()
    {
        ImageManager manager = Manager();
        _images.Add("r.example/preloaded:1");
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, image: "r.example/preloaded:1", policy: "Never"));
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager));
        Assert.IsType<ImageResult.Present>(await EnsureAsync(manager, Pod("other"), policy: "Never"));
        Assert.Single(_images.Pulls);
        Assert.Empty(Directory.GetFiles(Path.Combine(_root.FullName, "image_manager", "pulling")));
    }

    [Fact]
    public async Task A_malformed_secret_fails_the_pull_without_showing_it()
    {
        Secret("bad", "x");
        _objects.Secrets["bad"].Data[".dockerconfigjson"].AsSpan().Fill((byte)'{');
        var failed = Assert.IsType<ImageResult.Failed>(await EnsureAsync(Manager(), Pod("web", "bad")));
        Assert.Equal(("ErrImagePull", "secret default/bad: .dockerconfigjson is not JSON"), (failed.Reason, failed.Message));
        Assert.Empty(_images.Pulls);
    }

    public void Dispose() => _root.Delete(recursive: true);
}
