using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// Static pods from a folder (or one file). inotify says when to look; the whole folder is read again then, after an overflow, when the
/// watch was lost, and every period, which is also what is left where there can be no watch. Source: pkg/kubelet/config/file.go, file_linux.go.
/// </summary>
/// <param name="path">staticPodPath.</param>
/// <param name="node">The node's name.</param>
/// <param name="period">fileCheckFrequency.</param>
/// <param name="inotify">Watches the folder.</param>
/// <param name="work">Reads it: a folder that does not answer takes no thread of the pool.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Logger.</param>
public sealed partial class StaticFilePodSource(
    string path, string node, TimeSpan period, InotifyWatcher inotify, BlockingWork work, TimeProvider time, ILogger<StaticFilePodSource> logger) : IPodSource
{
    private const InotifyEvents Interesting =
        InotifyEvents.Create | InotifyEvents.CloseWrite | InotifyEvents.MovedTo | InotifyEvents.MovedFrom | InotifyEvents.Delete;

    private const InotifyEvents Lost = InotifyEvents.DeleteSelf | InotifyEvents.MoveSelf | InotifyEvents.Ignored;
    private readonly SemaphoreSlim _changed = new(0);
    private IDisposable? _watch;
    private bool _lost;
    private string? _noWatch;

    /// <inheritdoc/>
    public PodSourceKind Kind => PodSourceKind.File;

    /// <inheritdoc/>
    public async Task RunAsync(IPodSourceSink sink, CancellationToken cancellationToken)
    {
        var folder = new StaticPodFolder(path, node, period, time, LogManifest);
        bool settled = true;
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                bool look = settled;
                sink.Replace(PodSourceKind.File, await work.RunAsync("static pods:" + path, () =>
                {
                    // The watch first: what changes while the folder is read is then seen after.
                    EnsureWatch();
                    return folder.Read(look);
                }, cancellationToken));
                settled = !await ChangedAsync(cancellationToken);
            }
        }
        finally
        {
            _watch?.Dispose();
        }
    }

    /// <summary>Waits for a change or the period's end; true for a change.</summary>
    private async Task<bool> ChangedAsync(CancellationToken cancellationToken)
    {
        using var wake = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task change = _changed.WaitAsync(wake.Token);
        await Task.WhenAny(change, Task.Delay(period, time, wake.Token));
        await wake.CancelAsync();
        await change.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (_changed.Wait(0, CancellationToken.None))
        {
            // Many events are one look.
        }

        return change.IsCompletedSuccessfully;
    }

    private void EnsureWatch()
    {
        if (Volatile.Read(ref _lost))
        {
            _watch?.Dispose();
            _watch = null;
            Volatile.Write(ref _lost, false);
        }

        string full = Path.GetFullPath(path);
        if (_watch is not null || (Directory.Exists(full) ? full : File.Exists(full) ? Path.GetDirectoryName(full) : null) is not { } folder)
        {
            return;
        }

        try
        {
            _watch = inotify.Watch(folder, Interesting, Notice);
            _noWatch = null;
        }
        catch (IOException e)
        {
            if (_noWatch != e.Message)
            {
                LogNoWatch(path, period.TotalSeconds, _noWatch = e.Message);
            }
        }
    }

    private void Notice(InotifyEvent change)
    {
        if ((change.Events & Lost) != 0)
        {
            Volatile.Write(ref _lost, true);
        }

        _changed.Release();
    }

    [LoggerMessage(2010, LogLevel.Error, "{Error}")]
    private partial void LogManifest(string error);

    [LoggerMessage(2011, LogLevel.Warning, "Static pod folder {Path} cannot be watched, it is read every {Seconds} s instead: {Error}")]
    private partial void LogNoWatch(string path, double seconds, string error);
}
