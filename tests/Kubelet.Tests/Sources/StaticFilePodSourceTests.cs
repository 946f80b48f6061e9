using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Sources;

public sealed class StaticFilePodSourceTests : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(20);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("static");
    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly InotifyWatcher _inotify = new();
    private readonly BlockingWork _work = new();
    private readonly Sink _sink = new();
    private Task _running = Task.CompletedTask;

    private string Manifests => Path.Combine(_folder.FullName, "manifests");

    private static string Manifest(string name, string image = "busybox") => $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: main, image: {image}}}]}}\n";

    private void Run(string? path = null) => _running = Task.Run(() =>
        new StaticFilePodSource(path ?? Manifests, "N1", Period, _inotify, _work, _time, NullLogger<StaticFilePodSource>.Instance).RunAsync(_sink, _stop.Token));

    private void Write(string file, string content)
    {
        Directory.CreateDirectory(Manifests);
        File.WriteAllText(Path.Combine(Manifests, file), content);
    }

    private Task ShowsAsync(params string[] names) => UntilAsync(() => _sink.Names.SequenceEqual(names.Select(n => n + "-n1")), () => string.Join(' ', _sink.Names));

    private static async Task UntilAsync(Func<bool> holds, Func<string> what)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
        {
            Assert.False(limit.IsCancellationRequested, what());
            await Task.Delay(2);
        }
    }

    [Fact]
    public async Task Files_that_come_change_and_go_are_seen_without_waiting_for_the_period()
    {
        Write("a.yaml", Manifest("a"));
        Run();
        await ShowsAsync("a");
        PodUid first = _sink.Pods[0].Uid;
        Write("b.yaml", Manifest("b"));
        await ShowsAsync("a", "b");
        Assert.Equal(first, _sink.Pods[0].Uid);
        Write("a.yaml", Manifest("a", "busybox:2"));
        await UntilAsync(() => _sink.Pods is [var a, _] && a.Uid != first, () => "the edit");
        File.Delete(Path.Combine(Manifests, "b.yaml"));
        await ShowsAsync("a");
    }

    [Fact]
    public async Task What_did_not_change_stays_the_very_same_object()
    {
        Write("a.yaml", Manifest("a"));
        Run();
        await ShowsAsync("a");
        Pod before = _sink.Pods[0];
        Write("b.yaml", Manifest("b"));
        await ShowsAsync("a", "b");
        Assert.Same(before, _sink.Pods[0]);
    }

    [Theory]
    [InlineData("not: [yaml")]
    [InlineData("kind: Deployment")]
    [InlineData("apiVersion: v1\nkind: Pod\nmetadata: {name: ../up}\nspec: {containers: [{name: c, image: i}]}")]
    [InlineData("apiVersion: v1\nkind: Pod\nmetadata: {name: x, annotations: {kubernetes.io/config.mirror: h}}\nspec: {containers: [{name: c, image: i}]}")]
    [InlineData("")]
    public async Task A_bad_manifest_harms_no_other(string bad)
    {
        Write("0.yaml", bad);
        Write("1.yaml", Manifest("good"));
        Run();
        await ShowsAsync("good");
    }

    [Fact]
    public async Task A_file_that_turns_bad_keeps_its_pod_for_a_period_and_loses_it_then()
    {
        Write("a.yaml", Manifest("a"));
        Run();
        await ShowsAsync("a");
        int looks = _sink.Looks;
        Write("a.yaml", "half: [writ");
        await UntilAsync(() => _sink.Looks > looks, () => "another look");
        await ShowsAsync("a");
        await UntilAsync(() => _time.Armed > 0, () => "the wait");
        _time.Advance(Period);
        await ShowsAsync();
        Write("a.yaml", Manifest("a"));
        await ShowsAsync("a");
    }

    [Fact]
    public async Task Hidden_names_folders_and_pipes_are_no_manifests_and_links_are()
    {
        Write("..data", Manifest("hidden"));
        Directory.CreateDirectory(Path.Combine(Manifests, "folder.yaml"));
        System.Diagnostics.Process.Start("mkfifo", [Path.Combine(Manifests, "pipe.yaml")]).WaitForExit();
        File.WriteAllText(Path.Combine(_folder.FullName, "elsewhere"), Manifest("linked"));
        File.CreateSymbolicLink(Path.Combine(Manifests, "link.yaml"), Path.Combine(_folder.FullName, "elsewhere"));
        Run();
        await ShowsAsync("linked");
    }

    [Fact]
    public async Task A_folder_that_comes_late_or_is_replaced_is_found_at_the_period_and_watched_then()
    {
        Run();
        await UntilAsync(() => _sink.Looks == 1, () => "a first look: no folder is an empty set");
        Write("a.yaml", Manifest("a"));
        await UntilAsync(() => _time.Armed > 0, () => "the wait");
        _time.Advance(Period);
        await ShowsAsync("a");
        Write("b.yaml", Manifest("b"));
        await ShowsAsync("a", "b");
        Directory.Move(Manifests, Manifests + ".old");
        await ShowsAsync();
        Write("c.yaml", Manifest("c"));
        await UntilAsync(() => _time.Armed > 0, () => "the wait");
        _time.Advance(Period);
        await ShowsAsync("c");
        Write("d.yaml", Manifest("d"));
        await ShowsAsync("c", "d");
    }

    [Fact]
    public async Task One_file_is_a_source_as_well()
    {
        Write("only.yaml", Manifest("only"));
        Write("other.yaml", Manifest("other"));
        Run(Path.Combine(Manifests, "only.yaml"));
        await ShowsAsync("only");
        File.Delete(Path.Combine(Manifests, "only.yaml"));
        await ShowsAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _inotify.Dispose();
        _work.Dispose();
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }

    private sealed class Sink : IPodSourceSink
    {
        private IReadOnlyList<Pod> _pods = [new Pod { Metadata = new ObjectMeta { Name = "nothing delivered yet" } }];
        private int _looks;

        public IReadOnlyList<Pod> Pods => Volatile.Read(ref _pods);

        public IEnumerable<string> Names => Pods.Select(p => p.Metadata.Name!);

        public int Looks => Volatile.Read(ref _looks);

        public void Replace(PodSourceKind source, IReadOnlyCollection<Pod> pods)
        {
            Assert.Equal(PodSourceKind.File, source);
            Volatile.Write(ref _pods, [.. pods]);
            Interlocked.Increment(ref _looks);
        }

        public void Upsert(PodSourceKind source, Pod pod) => throw new NotSupportedException();

        public void Remove(PodSourceKind source, Pod pod) => throw new NotSupportedException();

        public void MarkReady(PodSourceKind source) => throw new NotSupportedException();
    }
}
