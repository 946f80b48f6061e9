using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;
using NodeAgent.Kubelet.Images;
using NodeAgent.Linux.Procfs;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Images;

/// <summary>Before the fake runtime: one container from busybox:1, and images nobody uses.</summary>
public sealed class ImageGarbageCollectorTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("images");
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _events = [], _collected = [];
    private FakeRuntime _fake = null!;
    private CriConnection _connection = null!;
    private FileSystemUsage? _space = new FileSystemUsage(100 << 20, 50 << 20, 0, 0);

    public async Task InitializeAsync()
    {
        string socket = Path.Combine(_folder.FullName, "r.sock");
        _fake = await FakeRuntime.StartAsync(socket);
        _connection = new CriConnection(CriEndpoint.Parse("unix://" + socket), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);
        foreach (string image in new[] { "busybox:1", "one:1", "two:1", "three:1" })
        {
            _fake.AddImage(image, 10 << 20);
        }

        RunPodSandboxResponse sandbox = await Runtime.RunPodSandboxAsync(
            new RunPodSandboxRequest { Config = new PodSandboxConfig { Metadata = new PodSandboxMetadata { Name = "p", Namespace = "ns", Uid = "u" } } }, default);
        await Runtime.CreateContainerAsync(
            new CreateContainerRequest
            {
                PodSandboxId = sandbox.PodSandboxId,
                Config = new ContainerConfig { Metadata = new ContainerMetadata { Name = "c" }, Image = new ImageSpec { Image = "busybox:1" } },
            },
            default);
    }

    public async Task DisposeAsync()
    {
        _connection.Dispose();
        await _fake.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private IRuntimeService Runtime => new RuntimeServiceClient(_connection);

    private IEnumerable<string> Left => _fake.Images.SelectMany(i => i.RepoTags).Order(StringComparer.Ordinal);

    private ImageGarbageCollector Collector(ImageGarbagePolicy? policy = null, ImagePullRecords? records = null) => new(
        Runtime, new ImageServiceClient(_connection), policy ?? ImageGarbagePolicy.Default,
        new ImageGarbageNeeds(_ => Task.FromResult(_space), () => [], (_, reason, message) => _events.Add($"{reason}: {message}"), _collected.Add) { PullRecords = records },
        _time, NullLogger<ImageGarbageCollector>.Instance);

    [Fact]
    public async Task While_there_is_room_nothing_goes()
    {
        using ImageGarbageCollector collector = Collector();
        await collector.PassAsync(default);
        _time.Advance(TimeSpan.FromMinutes(5));
        await collector.PassAsync(default);
        Assert.Equal(4, _fake.Images.Length);
        Assert.Empty(_events);
    }

    [Fact]
    public async Task A_full_disk_takes_as_many_unused_images_as_are_needed_and_no_young_ones()
    {
        using ImageGarbageCollector collector = Collector();
        _space = new FileSystemUsage(100 << 20, 1 << 20, 0, 0);
        await collector.PassAsync(default);
        Assert.Equal(4, _fake.Images.Length);
        _time.Advance(TimeSpan.FromMinutes(5));
        await collector.PassAsync(default);
        // 19 MiB are wanted: two of 10.
        Assert.Equal(2, Left.Count());
        Assert.Contains("busybox:1", Left);
        Assert.Equal(["space", "space"], _collected);
    }

    [Fact]
    public async Task Where_not_enough_can_be_freed_an_event_says_so_and_a_second_failure_is_one_of_its_own()
    {
        using ImageGarbageCollector collector = Collector();
        await collector.PassAsync(default);
        _time.Advance(TimeSpan.FromMinutes(5));
        _space = new FileSystemUsage(1000 << 20, 0, 0, 0);
        await collector.PassAsync(default);
        Assert.Equal(["busybox:1"], Left);
        string failed = Assert.Single(_events);
        Assert.StartsWith("FreeDiskSpaceFailed: Insufficient free disk space on the node's image filesystem (100% of 1000.0 MiB used). ", failed, StringComparison.Ordinal);
        Assert.Contains($"(freed {30 << 20} bytes)", failed, StringComparison.Ordinal);
        await collector.PassAsync(default);
        Assert.Equal(2, _events.Count(e => e.StartsWith("FreeDiskSpaceFailed", StringComparison.Ordinal)));
        Assert.Single(_events, e => e.StartsWith("ImageGCFailed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_image_that_cannot_be_removed_keeps_no_other()
    {
        using ImageGarbageCollector collector = Collector();
        await collector.PassAsync(default);
        _time.Advance(TimeSpan.FromMinutes(5));
        string stubborn = _fake.Images.First(i => i.RepoTags.Contains("one:1")).Id;
        _fake.Behaviour.On("RemoveImage", Reaction.Fail(StatusCode.Internal, "busy"), when: r => ((RemoveImageRequest)r).Image.Image == stubborn);
        string? error = await collector.RemoveUnusedAsync(default);
        Assert.Contains("busy", error, StringComparison.Ordinal);
        Assert.Equal(["busybox:1", "one:1"], Left);
    }

    [Fact]
    public async Task Images_unused_for_too_long_go_although_there_is_room()
    {
        using ImageGarbageCollector collector = Collector(ImageGarbagePolicy.Default with { MaximumAge = TimeSpan.FromHours(1) });
        await collector.PassAsync(default);
        _time.Advance(TimeSpan.FromMinutes(59));
        await collector.PassAsync(default);
        Assert.Equal(4, _fake.Images.Length);
        _time.Advance(TimeSpan.FromMinutes(2));
        await collector.PassAsync(default);
        Assert.Equal(["busybox:1"], Left);
        Assert.Equal(["age", "age", "age"], _collected);
    }

    [Fact]
    public async Task A_disk_of_no_size_is_told_of()
    {
        using ImageGarbageCollector collector = Collector();
        _space = new FileSystemUsage(0, 0, 0, 0);
        await collector.PassAsync(default);
        Assert.Equal(["InvalidDiskCapacity: invalid capacity 0 on image filesystem"], _events);
    }

    [Fact]
    public async Task The_runtimes_sandbox_image_stays()
    {
        _fake.StatusInfo["config"] = """{"sandboxImage":"two:1","other":1}""";
        using ImageGarbageCollector collector = Collector();
        await collector.PassAsync(default);
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Null(await collector.RemoveUnusedAsync(default));
        Assert.Equal(["busybox:1", "two:1"], Left);
    }

    [Fact]
    public async Task Records_of_images_that_went_are_forgotten_and_others_kept()
    {
        var records = new ImagePullRecords(_folder.FullName, new PullVerification("NeverVerifyPreloadedImages", []), _time, NullLogger<ImagePullRecords>.Instance);
        string Id(string tag) => _fake.Images.First(i => i.RepoTags.Contains(tag)).Id;
        foreach (string image in new[] { "busybox:1", "one:1" })
        {
            records.Begin(image);
            records.Pulled(image, Id(image), null);
        }

        using ImageGarbageCollector collector = Collector(records: records);
        await collector.PassAsync(default);
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(2, Directory.EnumerateFiles(Path.Combine(_folder.FullName, "image_manager", "pulled")).Count());
        Assert.Null(await collector.RemoveUnusedAsync(default));
        Assert.Single(Directory.EnumerateFiles(Path.Combine(_folder.FullName, "image_manager", "pulled")));
        Assert.Equal(["busybox:1"], Left);
    }
}
