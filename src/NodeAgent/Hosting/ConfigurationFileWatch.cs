using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Inotify;

namespace NodeAgent.Hosting;

/// <summary>
/// Says when a half's configuration file was written or moved: kube-proxy ends then, so that the service manager starts it again with what
/// the file says. Only the file itself is watched, so that the switch of a mounted ConfigMap's link goes unnoticed, as upstream. A file that
/// cannot be watched is warned of, and the half goes on (upstream ends).
/// </summary>
/// <param name="path">The file; empty where none is named.</param>
/// <param name="watch">Watches a path, as <see cref="InotifyWatcher.Watch"/> does.</param>
/// <param name="logger">Log.</param>
internal sealed partial class ConfigurationFileWatch(string path, Func<string, InotifyEvents, Action<InotifyEvent>, IDisposable> watch, ILogger logger)
{
    private const InotifyEvents Wanted = InotifyEvents.Modify | InotifyEvents.MoveSelf;

    /// <summary>Waits until the file has changed, which it may never do.</summary>
    /// <returns>One sentence that names the file and what became of it.</returns>
    /// <exception cref="OperationCanceledException">Cancelled before that.</exception>
    internal async Task<string> ChangeAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource<string> changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration end = cancellationToken.Register(() => changed.TrySetCanceled(cancellationToken));
        using IDisposable? watching = path.Length == 0 ? null : Watch(changed);
        return await changed.Task;
    }

    private IDisposable? Watch(TaskCompletionSource<string> changed)
    {
        try
        {
            return watch(path, Wanted, e =>
            {
                if ((e.Events & Wanted) != 0)
                {
                    string how = (e.Events & InotifyEvents.Modify) != 0 ? "written" : "moved";
                    changed.TrySetResult($"the configuration file {path} was {how}; a new start reads it");
                }
            });
        }
        catch (IOException e)
        {
            LogUnwatched(path, e.Message);
            return null;
        }
    }

    [LoggerMessage(4151, LogLevel.Warning, "Changes of {Path} take effect at the next start only, because it cannot be watched: {Error}")]
    private partial void LogUnwatched(string path, string error);
}
