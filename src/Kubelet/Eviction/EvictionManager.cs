using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Eviction;

/// <summary>What the manager acts through.</summary>
public interface IEvictionActions
{
    /// <summary>Pods that use the node, with what is allocated to them.</summary>
    IReadOnlyList<Pod> ActivePods { get; }

    /// <summary>Tells of the eviction and ends the pod; returns when nothing of it runs or its time is over.</summary>
    Task EvictAsync(Pod pod, PodEviction eviction, CancellationToken cancellationToken);

    /// <summary>True once nothing of the pod is left to release.</summary>
    bool IsCleanedUp(PodUid uid);

    /// <summary>Removes dead containers, of pods that have ended too.</summary>
    Task RemoveDeadContainersAsync(CancellationToken cancellationToken);

    /// <summary>Removes images nobody uses.</summary>
    Task RemoveUnusedImagesAsync(CancellationToken cancellationToken);

    /// <summary>Tells that something runs short and is taken back.</summary>
    void Attempting(string resource);

    /// <summary>Counts an eviction.</summary>
    /// <param name="signal">For what.</param>
    /// <param name="age">Of the figures it was decided on; null where it was not the node's want.</param>
    void Count(string signal, TimeSpan? age);
}

/// <summary>
/// Watches what is left on the node: sets pressure conditions, takes back what can be, and then evicts one pod at a time; evicts pods that
/// exceed their own limits of local storage. Source: pkg/kubelet/eviction/eviction_manager.go.
/// </summary>
/// <param name="settings">Thresholds.</param>
/// <param name="source">What is left and used.</param>
/// <param name="actions">What is done.</param>
/// <param name="time">Clock; a change of the date moves nothing.</param>
/// <param name="logger">Log.</param>
public sealed partial class EvictionManager(EvictionSettings settings, INodeUseSource source, IEvictionActions actions, TimeProvider time, ILogger<EvictionManager> logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CleanUpLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CleanUpPoll = TimeSpan.FromSeconds(1);

    private readonly IReadOnlyList<EvictionThreshold> _configured = EvictionThresholds.Parse(settings);
    private readonly long _began = time.GetTimestamp();
    private EvictionState _state = new();

    /// <summary>MemoryPressure, DiskPressure, PIDPressure: those that hold, sorted.</summary>
    public IReadOnlyList<string> Conditions => Volatile.Read(ref _state).Conditions;

    /// <summary>Raised when <see cref="Conditions"/> has become another one.</summary>
    public event Action? Changed;

    private TimeSpan Now => time.GetElapsedTime(_began);

    /// <summary>Looks every ten seconds, and again as soon as an evicted pod is cleaned up, until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (_configured.Count == 0 && !settings.LocalStorageLimits)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }

        while (true)
        {
            IReadOnlyList<Pod> evicted = [];
            try
            {
                evicted = await PassAsync(cancellationToken);
            }
            catch (Exception e) when (e is CriException or IOException or UnauthorizedAccessException)
            {
                LogFailed(e.Message);
            }

            if (evicted.Count > 0)
            {
                await CleanedUpAsync(evicted, cancellationToken);
            }
            else
            {
                await Task.Delay(Period, time, cancellationToken);
            }
        }
    }

    /// <summary>One look and what follows from it.</summary>
    /// <returns>The pods evicted.</returns>
    internal async Task<IReadOnlyList<Pod>> PassAsync(CancellationToken cancellationToken)
    {
        NodeUse seen = await source.LookAsync(cancellationToken);
        TimeSpan seenAt = Now;
        IReadOnlyList<EvictionThreshold> thresholds = EvictionThresholds.WithContainerFs(_configured, seen.Layout);
        Remember(_state.Next(thresholds, seen.Signals, seenAt, settings.TransitionPeriod));
        IReadOnlyList<Pod> active = actions.ActivePods;
        if (settings.LocalStorageLimits && await EvictOverLimitAsync(active, seen.Layout, cancellationToken) is { Count: > 0 } over)
        {
            return over;
        }

        if (_state.Due is not [var first, ..])
        {
            return [];
        }

        string resource = EvictionSignals.ResourceOf(first.Signal);
        LogAttempting(resource, first.Signal);
        actions.Attempting(resource);
        if (await ReclaimedAsync(first, thresholds, seen.Layout, cancellationToken))
        {
            LogReclaimed(resource);
            return [];
        }

        return await EvictOneAsync(first, active, seen, seenAt, cancellationToken);
    }

    private void Remember(EvictionState state)
    {
        bool changed = !state.Conditions.SequenceEqual(_state.Conditions);
        Volatile.Write(ref _state, state);
        if (changed)
        {
            LogConditions(state.Conditions.Length > 0 ? string.Join(", ", state.Conditions) : "none");
            Changed?.Invoke();
        }
    }

    private async Task<IReadOnlyList<Pod>> EvictOverLimitAsync(IReadOnlyList<Pod> active, DiskLayout layout, CancellationToken cancellationToken)
    {
        Pod[] limited = [.. active.Where(p => !p.IsCritical && PodEviction.HasLimit(p))];
        if (limited.Length == 0)
        {
            return [];
        }

        IReadOnlyDictionary<PodUid, PodUse> uses = await source.MeasureAsync(limited, PodFigures.Disk, cancellationToken);
        List<Pod> evicted = [];
        foreach (Pod pod in limited)
        {
            if (uses.TryGetValue(pod.Uid, out PodUse? use) && PodEviction.ForLimit(pod, use, layout) is { } eviction)
            {
                await EvictAsync(pod, eviction, age: null, cancellationToken);
                evicted.Add(pod);
            }
        }

        return evicted;
    }

    private async Task<bool> ReclaimedAsync(EvictionThreshold threshold, IReadOnlyList<EvictionThreshold> thresholds, DiskLayout layout, CancellationToken cancellationToken)
    {
        Reclaim reclaim = EvictionPlan.ReclaimFor(threshold.Signal, layout);
        if (reclaim == Reclaim.None)
        {
            return false;
        }

        if (reclaim.HasFlag(Reclaim.DeadContainers))
        {
            await TryAsync(actions.RemoveDeadContainersAsync, cancellationToken);
        }

        if (reclaim.HasFlag(Reclaim.UnusedImages))
        {
            await TryAsync(actions.RemoveUnusedImagesAsync, cancellationToken);
        }

        NodeUse after = await source.LookAsync(cancellationToken);
        return !thresholds.Any(t => t.IsMet(after.Signals, resolving: true));
    }

    private async Task TryAsync(Func<CancellationToken, Task> reclaim, CancellationToken cancellationToken)
    {
        try
        {
            await reclaim(cancellationToken);
        }
        catch (Exception e) when (e is CriException or IOException or UnauthorizedAccessException)
        {
            LogFailed(e.Message);
        }
    }

    private async Task<IReadOnlyList<Pod>> EvictOneAsync(EvictionThreshold threshold, IReadOnlyList<Pod> active, NodeUse seen, TimeSpan seenAt, CancellationToken cancellationToken)
    {
        bool disk = EvictionSignals.ConditionOf(threshold.Signal) == "DiskPressure";
        IReadOnlyDictionary<PodUid, PodUse> uses = await source.MeasureAsync(active, disk ? PodFigures.Disk : PodFigures.Cgroup, cancellationToken);
        Pod? victim = EvictionPlan.Rank(active, threshold.Signal, seen.Layout, uses).FirstOrDefault(p => !p.IsCritical);
        if (victim is null)
        {
            LogNobody(threshold.Signal);
            return [];
        }

        PodUse? use = uses.GetValueOrDefault(victim.Uid);
        if (use is not null && !disk)
        {
            // For the message: which of its containers it was.
            use = (await source.MeasureAsync([victim], PodFigures.Cgroup | PodFigures.ContainerMemory, cancellationToken)).GetValueOrDefault(victim.Uid) ?? use;
        }

        TimeSpan grace = EvictionPlan.GraceFor(threshold, victim, settings.LongestPodGrace);
        await EvictAsync(victim, PodEviction.ForWant(threshold, victim, use, _state.Due, seen.Signals, grace), Now - seenAt, cancellationToken);
        return [victim];
    }

    private async Task EvictAsync(Pod pod, PodEviction eviction, TimeSpan? age, CancellationToken cancellationToken)
    {
        LogEvicting(pod.Ref, eviction.Message);
        actions.Count(eviction.Signal, age);
        await actions.EvictAsync(pod, eviction, cancellationToken);
    }

    private async Task CleanedUpAsync(IReadOnlyList<Pod> evicted, CancellationToken cancellationToken)
    {
        long from = time.GetTimestamp();
        do
        {
            // At least once: what the pod held has to show in the figures before the next one goes.
            await Task.Delay(CleanUpPoll, time, cancellationToken);
        }
        while (!evicted.All(p => actions.IsCleanedUp(p.Uid)) && time.GetElapsedTime(from) < CleanUpLimit);
    }

    [LoggerMessage(2671, LogLevel.Warning, "Pressure conditions of the node are now: {Conditions}")]
    private partial void LogConditions(string conditions);

    [LoggerMessage(2672, LogLevel.Warning, "{Resource} runs short ({Signal}), attempting to take some back")]
    private partial void LogAttempting(string resource, string signal);

    [LoggerMessage(2673, LogLevel.Information, "{Resource} was taken back without evicting a pod")]
    private partial void LogReclaimed(string resource);

    [LoggerMessage(2674, LogLevel.Warning, "Pod {Pod} is evicted: {Message}")]
    private partial void LogEvicting(PodRef pod, string message);

    [LoggerMessage(2675, LogLevel.Error, "{Signal} is below its threshold, but no pod may be evicted for it")]
    private partial void LogNobody(string signal);

    [LoggerMessage(2676, LogLevel.Warning, "Eviction: {Error}; tried again in ten seconds")]
    private partial void LogFailed(string error);
}
