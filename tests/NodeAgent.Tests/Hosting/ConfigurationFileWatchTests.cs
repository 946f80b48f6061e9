using NodeAgent.Hosting;
using NodeAgent.Linux.Inotify;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class ConfigurationFileWatchTests
{
    private readonly RecordingLogger<ConfigurationFileWatch> _log = new();
    private readonly List<(string Path, InotifyEvents Events)> _watched = [];
    private readonly Ended _watching = new();
    private Action<InotifyEvent>? _callback;

    [Theory]
    [InlineData(InotifyEvents.Modify, "written")]
    [InlineData(InotifyEvents.MoveSelf, "moved")]
    public async Task A_written_or_moved_file_ends_the_watch_with_a_sentence_that_names_it(InotifyEvents what, string how)
    {
        Task<string> watch = Watching("/etc/proxy.yaml").ChangeAsync(CancellationToken.None);
        Assert.Equal([("/etc/proxy.yaml", InotifyEvents.Modify | InotifyEvents.MoveSelf)], _watched);
        _callback!(new InotifyEvent(what, ""));
        Assert.Contains($"/etc/proxy.yaml was {how}", await watch, StringComparison.Ordinal);
        Assert.True(_watching.IsDisposed);
    }

    [Theory]
    [InlineData(InotifyEvents.DeleteSelf)]
    [InlineData(InotifyEvents.Ignored)]
    public async Task A_file_that_was_removed_as_by_the_switch_of_a_mounted_ConfigMap_is_no_change(InotifyEvents what)
    {
        using CancellationTokenSource stop = new();
        Task<string> watch = Watching("/etc/proxy.yaml").ChangeAsync(stop.Token);
        _callback!(new InotifyEvent(what, ""));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
        Assert.True(_watching.IsDisposed);
    }

    [Fact]
    public async Task Without_a_file_nothing_is_watched_until_the_end()
    {
        using CancellationTokenSource stop = new();
        Task<string> watch = Watching("").ChangeAsync(stop.Token);
        Assert.Empty(_watched);
        Assert.False(watch.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
    }

    [Fact]
    public async Task A_host_whose_inotify_instances_are_used_up_is_warned_of_and_nothing_ends()
    {
        using CancellationTokenSource stop = new();
        ConfigurationFileWatch unwatched = new(
            "/etc/proxy.yaml", (_, _, _) => throw new IOException("cannot make an inotify instance: Too many open files; raise fs.inotify.max_user_instances"), _log);
        Task<string> watch = unwatched.ChangeAsync(stop.Token);
        Assert.False(watch.IsCompleted);
        string warning = Assert.Single(_log.Lines);
        Assert.Contains("/etc/proxy.yaml", warning, StringComparison.Ordinal);
        Assert.Contains("raise fs.inotify.max_user_instances", warning, StringComparison.Ordinal);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
    }

    private ConfigurationFileWatch Watching(string path) => new(path, (watched, events, callback) =>
    {
        _watched.Add((watched, events));
        _callback = callback;
        return _watching;
    }, _log);

    private sealed class Ended : IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }
}
