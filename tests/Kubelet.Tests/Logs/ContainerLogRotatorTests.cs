using System.IO.Compression;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Tests.Containers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Logs;

/// <summary>Before the fake runtime: a pod with one container that writes its log.</summary>
public sealed class ContainerLogRotatorTests : IAsyncLifetime
{
    private static readonly string Line = new('x', 100);
    private readonly FakeTimeProvider _time = new();
    private RuntimeManagerFixture _node = null!;
    private RunningLog _log = null!;

    public async Task InitializeAsync()
    {
        _node = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await _node.PassAsync(pod);
        RuntimeContainerStatus container = (await _node.Manager.GetPodStatusAsync(pod.Ref, default)).Containers.Single();
        _log = new RunningLog(container.Id.Id, container.LogPath);
    }

    public async Task DisposeAsync() => await _node.DisposeAsync();

    private string[] Files => [.. Directory.EnumerateFiles(Path.GetDirectoryName(_log.Path)!).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    private int Reopened => _node.Calls("ReopenContainerLog").Count();

    private string Stamp => _time.GetLocalNow().ToString("yyyyMMdd-HHmmss", System.Globalization.CultureInfo.InvariantCulture);

    private ContainerLogRotator Rotator(int maximumFiles = 3) => new(
        _node.Runtime, () => [_log], new LogRotationPolicy(100, maximumFiles, 1, TimeSpan.FromSeconds(10)), _node.Work, _time, NullLogger<ContainerLogRotator>.Instance);

    private static async Task PassAsync(ContainerLogRotator rotator) => await Task.WhenAll(await rotator.BeginPassAsync(default)).WaitAsync(TimeSpan.FromMinutes(1));

    [Fact]
    public async Task A_small_log_costs_no_call()
    {
        _node.Fake.WriteLog(_log.ContainerId, "small");
        await PassAsync(Rotator());
        Assert.Equal(["0.log"], Files);
        Assert.Equal(0, Reopened);
    }

    [Fact]
    public async Task A_grown_log_is_rotated_the_one_before_compressed_and_the_oldest_removed()
    {
        ContainerLogRotator rotator = Rotator();
        List<string> stamps = [];
        for (int i = 0; i < 4; i++)
        {
            _node.Fake.WriteLog(_log.ContainerId, $"{i} {Line}");
            stamps.Add(Stamp);
            await PassAsync(rotator);
            _time.Advance(TimeSpan.FromSeconds(10));
        }

        _node.Fake.WriteLog(_log.ContainerId, "live");
        Assert.Equal(["0.log", $"0.log.{stamps[2]}.gz", $"0.log.{stamps[3]}"], Files);
        Assert.Contains("live", await File.ReadAllTextAsync(_log.Path), StringComparison.Ordinal);
        Assert.Contains("3 xxx", await File.ReadAllTextAsync($"{_log.Path}.{stamps[3]}"), StringComparison.Ordinal);
        using StreamReader unpacked = new(new GZipStream(File.OpenRead($"{_log.Path}.{stamps[2]}.gz"), CompressionMode.Decompress));
        Assert.Contains("2 xxx", await unpacked.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(4, Reopened);
    }

    [Fact]
    public async Task With_two_files_only_the_one_just_rotated_stays_beside_the_live_one()
    {
        ContainerLogRotator rotator = Rotator(maximumFiles: 2);
        for (int i = 0; i < 3; i++)
        {
            _node.Fake.WriteLog(_log.ContainerId, Line);
            _time.Advance(TimeSpan.FromSeconds(10));
            await PassAsync(rotator);
        }

        Assert.Equal(["0.log", $"0.log.{Stamp}"], Files);
    }

    [Fact]
    public async Task Where_the_runtime_does_not_reopen_the_log_gets_its_name_back_and_nothing_is_lost()
    {
        _node.Fake.Behaviour.On("ReopenContainerLog", Reaction.Fail(StatusCode.Unavailable, "no"), times: 1);
        _node.Fake.WriteLog(_log.ContainerId, "first " + Line);
        ContainerLogRotator rotator = Rotator();
        await PassAsync(rotator);
        Assert.Equal(["0.log"], Files);
        await PassAsync(rotator);
        Assert.Equal(["0.log", $"0.log.{Stamp}"], Files);
        Assert.Contains("first", await File.ReadAllTextAsync($"{_log.Path}.{Stamp}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_only_the_answer_to_reopening_is_lost_the_new_log_is_not_overwritten()
    {
        _node.Fake.Behaviour.On("ReopenContainerLog", Reaction.FailAfterwards(StatusCode.Unavailable, "lost"), times: 1);
        _node.Fake.WriteLog(_log.ContainerId, Line);
        await PassAsync(Rotator());
        _node.Fake.WriteLog(_log.ContainerId, "live");
        Assert.Equal(["0.log", $"0.log.{Stamp}"], Files);
        Assert.Contains("live", await File.ReadAllTextAsync(_log.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killed_between_renaming_and_reopening_the_next_start_has_the_log_opened()
    {
        _node.Fake.WriteLog(_log.ContainerId, Line);
        File.Move(_log.Path, _log.Path + ".20260101-000000");
        await PassAsync(Rotator());
        _node.Fake.WriteLog(_log.ContainerId, "live");
        Assert.Equal(["0.log", "0.log.20260101-000000"], Files);
        Assert.Contains("live", await File.ReadAllTextAsync(_log.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_rotation_left_half_done_is_finished_by_the_next()
    {
        await File.WriteAllTextAsync(_log.Path + ".20260101-000000", "old");
        await File.WriteAllTextAsync(_log.Path + ".20260101-000000.tmp", "half");
        await File.WriteAllTextAsync(_log.Path + ".20250101-000000", "plain");
        await File.WriteAllTextAsync(_log.Path + ".20250101-000000.gz", "packed");
        _node.Fake.WriteLog(_log.ContainerId, Line);
        await PassAsync(Rotator(maximumFiles: 5));
        Assert.Equal(["0.log", "0.log.20250101-000000.gz", "0.log.20260101-000000.gz", $"0.log.{Stamp}"], Files);
        Assert.Equal("packed", await File.ReadAllTextAsync(_log.Path + ".20250101-000000.gz"));
    }

    [Fact]
    public async Task A_second_rotation_within_the_second_overwrites_nothing()
    {
        ContainerLogRotator rotator = Rotator(maximumFiles: 5);
        _node.Fake.WriteLog(_log.ContainerId, "a " + Line);
        await PassAsync(rotator);
        _node.Fake.WriteLog(_log.ContainerId, "b " + Line);
        await PassAsync(rotator);
        _time.Advance(TimeSpan.FromSeconds(1));
        await PassAsync(rotator);
        string all = string.Concat(await Task.WhenAll(Files.Where(f => !f.EndsWith(".gz", StringComparison.Ordinal)).Select(f => File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(_log.Path)!, f)))));
        Assert.Contains("b xxx", all, StringComparison.Ordinal);
        Assert.Equal(2, Reopened);
    }
}
