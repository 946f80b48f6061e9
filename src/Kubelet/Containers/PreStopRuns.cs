using System.Collections.Concurrent;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// preStop hooks under way, by container id: each runs once. A later stop of the same container waits for the run that is there, with a
/// limit of its own, and that limit can only be nearer.
/// </summary>
/// <param name="time">Clock.</param>
internal sealed class PreStopRuns(TimeProvider time)
{
    private static readonly TimeSpan KeptAfterEnd = TimeSpan.FromHours(1);
    private readonly ConcurrentDictionary<string, Run> _runs = new();

    /// <summary>Waits until the hook has ended or the limit has passed, whichever is first. What the hook made of it is not told here.</summary>
    /// <param name="containerId">Of the instance.</param>
    /// <param name="hook">Begins the hook; called for the first wait only. Must not throw but for its token.</param>
    /// <param name="limit">How long to wait at most; then the hook is cancelled.</param>
    /// <param name="cancellationToken">Ends the wait, not the hook.</param>
    public async Task WaitAsync(string containerId, Func<CancellationToken, Task> hook, TimeSpan limit, CancellationToken cancellationToken)
    {
        ForgetOld();
        Run run = _runs.GetOrAdd(containerId, _ => new Run());
        Task task = run.Begin(hook);
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task timer = Task.Delay(limit, time, wait.Token);
        await Task.WhenAny(task, timer);
        cancellationToken.ThrowIfCancellationRequested();
        if (!task.IsCompleted)
        {
            await run.Stop.CancelAsync();
        }

        await wait.CancelAsync();
        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        run.EndedAt ??= time.GetUtcNow();
    }

    /// <summary>The container is stopped: its run counts no more.</summary>
    public void Forget(string containerId)
    {
        if (_runs.TryRemove(containerId, out Run? run))
        {
            run.Stop.Cancel();
        }
    }

    // A container that ends by itself after its hook is never stopped again.
    private void ForgetOld()
    {
        DateTimeOffset old = time.GetUtcNow() - KeptAfterEnd;
        foreach ((string id, Run run) in _runs)
        {
            if (run.EndedAt < old)
            {
                _runs.TryRemove(id, out _);
            }
        }
    }

    private sealed class Run
    {
        private readonly Lock _lock = new();
        private Task? _task;

        public CancellationTokenSource Stop { get; } = new();

        public DateTimeOffset? EndedAt { get; set; }

        public Task Begin(Func<CancellationToken, Task> hook)
        {
            lock (_lock)
            {
                return _task ??= Task.Run(() => hook(Stop.Token), CancellationToken.None);
            }
        }
    }
}
