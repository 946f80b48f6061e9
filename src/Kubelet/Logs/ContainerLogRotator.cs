using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Logs;

/// <summary>
/// Keeps the logs of running containers within bounds: a log that has grown is renamed, the runtime opens a new one, the ones before are
/// compressed and the oldest removed. Sizes are looked at periodically; the runtime is asked nothing while no log has grown.
/// Source: pkg/kubelet/logs/container_log_manager.go.
/// </summary>
/// <param name="runtime">Opens logs anew.</param>
/// <param name="running">Logs that are being written.</param>
/// <param name="policy">Sizes and numbers.</param>
/// <param name="work">Threads for calls that may block.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class ContainerLogRotator(
    IRuntimeService runtime, Func<IEnumerable<RunningLog>> running, LogRotationPolicy policy, BlockingWork work, TimeProvider time, ILogger<ContainerLogRotator> logger)
{
    private const string Measuring = "sizes of container logs";
    private static readonly TimeSpan MeasureLimit = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _workers = new(policy.Workers);
    private readonly ConcurrentDictionary<string, bool> _inHand = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _complaints = new(StringComparer.Ordinal);

    /// <summary>Looks at once and then each period, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (policy.MaximumSize < 0)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }

        using var timer = new PeriodicTimer(policy.Period, time);
        do
        {
            try
            {
                await BeginPassAsync(cancellationToken);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or KernelSilentException)
            {
                LogUnmeasured(e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    /// <summary>Measures, and begins with what has to be rotated; a rotation that takes long holds up no other log's.</summary>
    /// <returns>What was begun; none of it fails.</returns>
    internal async Task<IReadOnlyList<Task>> BeginPassAsync(CancellationToken cancellationToken)
    {
        RunningLog[] logs = [.. running().Where(l => l.Path.Length > 0)];
        foreach (string gone in _complaints.Keys.Except(logs.Select(l => l.ContainerId)))
        {
            _complaints.TryRemove(gone, out _);
        }

        IReadOnlyList<RunningLog> due = await work.RunWithinAsync(Measuring, MeasureLimit, () => Due(logs), cancellationToken);
        return [.. due.Where(l => _inHand.TryAdd(l.ContainerId, true)).Select(l => Task.Run(() => TreatAsync(l, cancellationToken), CancellationToken.None))];
    }

    private List<RunningLog> Due(IEnumerable<RunningLog> logs)
    {
        List<RunningLog> due = [];
        foreach (RunningLog log in logs)
        {
            try
            {
                long? length = LogFiles.LengthOf(log.Path);
                if (length is null || length >= policy.MaximumSize)
                {
                    due.Add(log);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Complain(log, e.Message);
            }
        }

        return due;
    }

    private async Task TreatAsync(RunningLog log, CancellationToken cancellationToken)
    {
        try
        {
            await _workers.WaitAsync(cancellationToken);
            try
            {
                await RotateAsync(log, cancellationToken);
                _complaints.TryRemove(log.ContainerId, out _);
            }
            finally
            {
                _workers.Release();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The next start goes on from what is on disk.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CriException)
        {
            Complain(log, e.Message);
        }
        finally
        {
            _inHand.TryRemove(log.ContainerId, out _);
        }
    }

    private async Task RotateAsync(RunningLog log, CancellationToken cancellationToken)
    {
        // A missing log is one that was renamed before the agent was killed, or that someone removed: the runtime still writes into the old file.
        if (await OnDiskAsync(log, () => LogFiles.LengthOf(log.Path), cancellationToken) is null)
        {
            await ReopenAsync(log);
            return;
        }

        LogRotationPlan plan = await OnDiskAsync(log, () => LogRotationPlan.Of(LogFiles.RotatedOf(log.Path), policy.MaximumFiles), cancellationToken);
        await OnDiskAsync(log, () => LogFiles.Remove(log.Path, plan.Remove), cancellationToken);
        foreach (string name in plan.Compress)
        {
            await CompressAsync(log, name, cancellationToken);
        }

        string aside = await OnDiskAsync(log, () => LogFiles.MoveAside(log.Path, time.GetLocalNow()), cancellationToken);
        try
        {
            await ReopenAsync(log);
        }
        catch (CriException)
        {
            await OnDiskAsync(log, () => LogFiles.MoveBack(aside, log.Path), CancellationToken.None);
            throw;
        }
    }

    // Where there is no room for the compressed form the log is rotated all the same: the number of files is bounded in any case.
    private async Task CompressAsync(RunningLog log, string name, CancellationToken cancellationToken)
    {
        try
        {
            await OnDiskAsync(log, () => LogFiles.Compress(log.Path, name, cancellationToken), cancellationToken);
        }
        catch (IOException e)
        {
            LogUncompressed(name, log.ContainerId, e.Message);
        }
    }

    private Task<ReopenContainerLogResponse> ReopenAsync(RunningLog log) =>
        runtime.ReopenContainerLogAsync(new ReopenContainerLogRequest { ContainerId = log.ContainerId }, CancellationToken.None);

    private Task<T> OnDiskAsync<T>(RunningLog log, Func<T> call, CancellationToken cancellationToken) => work.RunAsync("rotation of " + log.Path, call, cancellationToken);

    private Task OnDiskAsync(RunningLog log, Action call, CancellationToken cancellationToken) => work.RunAsync("rotation of " + log.Path, call, cancellationToken);

    // Tried again each period; told once.
    private void Complain(RunningLog log, string error)
    {
        if (_complaints.GetValueOrDefault(log.ContainerId) != error)
        {
            _complaints[log.ContainerId] = error;
            LogFailed(log.Path, log.ContainerId, error);
        }
    }

    [LoggerMessage(2651, LogLevel.Warning, "Sizes of container logs cannot be read, the next look is soon: {Error}")]
    private partial void LogUnmeasured(string error);

    [LoggerMessage(2652, LogLevel.Warning, "Log {Path} of container {Container} cannot be rotated, it is tried again: {Error}")]
    private partial void LogFailed(string path, string container, string error);

    [LoggerMessage(2653, LogLevel.Warning, "Rotated log {Name} of container {Container} cannot be compressed: {Error}")]
    private partial void LogUncompressed(string name, string container, string error);
}
