using System.Collections.Concurrent;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Containers;

/// <summary>How long a container that ended waits before it runs again: doubles with each end, forgets after running long enough.</summary>
/// <param name="initial">First delay.</param>
/// <param name="longest">Cap.</param>
internal sealed class CrashLoopBackOff(TimeSpan initial, TimeSpan longest)
{
    private static readonly TimeSpan ResetAfter = TimeSpan.FromSeconds(600);
    private readonly ConcurrentDictionary<(PodUid Pod, string Container, string Image), (DateTimeOffset End, TimeSpan Delay)> _entries = new();

    /// <summary>Time left until the container may start, and the delay it is part of; null where it may start now.</summary>
    public (TimeSpan Left, TimeSpan Delay)? Check(PodUid pod, string image, RuntimeContainerStatus ended, DateTimeOffset now)
    {
        var key = (pod, ended.Name, image);
        if (ended.FinishedAt == default)
        {
            return null;
        }

        TimeSpan first = initial < longest ? initial : longest;
        if (!_entries.TryGetValue(key, out var entry))
        {
            // The first end is followed by a start at once; after a restart of the agent the count tells how often it ended.
            entry = (ended.FinishedAt, ended.RestartCount <= 1 ? TimeSpan.Zero : Doubled(first, ended.RestartCount - 2));
            entry.Delay = ended.RestartCount == 0 ? TimeSpan.Zero : entry.Delay == TimeSpan.Zero ? first : entry.Delay;
            _entries[key] = entry;
        }
        else if (entry.End != ended.FinishedAt)
        {
            bool ranLong = ended.FinishedAt - ended.StartedAt > ResetAfter;
            TimeSpan next = entry.Delay == TimeSpan.Zero ? first : entry.Delay * 2;
            entry = (ended.FinishedAt, ranLong ? TimeSpan.Zero : next < longest ? next : longest);
            _entries[key] = entry;
        }

        TimeSpan left = entry.End + entry.Delay - now;
        return left > TimeSpan.Zero ? (left, entry.Delay) : null;
    }

    private TimeSpan Doubled(TimeSpan first, int times)
    {
        TimeSpan delay = first * Math.Pow(2, Math.Min(times + 1, 20));
        return delay < longest ? delay : longest;
    }

    public void Forget(PodUid pod)
    {
        foreach (var key in _entries.Keys.Where(k => k.Pod == pod))
        {
            _entries.TryRemove(key, out _);
        }
    }
}
