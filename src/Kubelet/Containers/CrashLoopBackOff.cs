using System.Collections.Concurrent;
using System.Globalization;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// How long a container that keeps ending waits for its next start: nothing after the first end, then the initial delay, doubled with
/// every start up to the longest. Ten minutes between a start and the next end begin anew. After a restart of the agent an attempt of this
/// agent's tells itself what was waited before it; of others the gap between the last two does. Source: pkg/kubelet/kuberuntime (doBackOff), client-go util/flowcontrol.
/// </summary>
internal sealed class CrashLoopBackOff(TimeSpan initial, TimeSpan longest)
{
    private static readonly TimeSpan ResetAfter = TimeSpan.FromSeconds(600);
    private readonly ConcurrentDictionary<(PodUid Pod, string Container, string Image), Entry> _entries = new();

    /// <param name="pod">Whose.</param>
    /// <param name="image">As in the spec: another image begins anew.</param>
    /// <param name="ended">Ended attempts of the container, newest first; it counts from the end of the newest.</param>
    /// <param name="now">The time.</param>
    /// <returns>Null when the start may be made now, which is then taken as made; else what is left and the whole delay.</returns>
    public (TimeSpan Left, TimeSpan Delay)? Check(PodUid pod, string image, IReadOnlyList<RuntimeContainerStatus> ended, DateTimeOffset now)
    {
        if (ended is not [var newest, ..] || newest.FinishedAt == default)
        {
            return null;
        }

        var key = (pod, newest.Name, image);
        Entry entry = _entries.TryGetValue(key, out Entry? known) ? known : new Entry(Waited(ended), newest.StartedAt, null);
        if (entry.Passed == newest.FinishedAt)
        {
            // The start after this end was allowed and did not come to be: it is not a new end.
            return null;
        }

        TimeSpan delay = newest.FinishedAt - entry.StartedAt > ResetAfter || entry.Waited is not { } waited ? TimeSpan.Zero : Following(waited);
        TimeSpan left = newest.FinishedAt + delay - now;
        if (left > TimeSpan.Zero)
        {
            return (left < delay ? left : delay, delay);
        }

        _entries[key] = new Entry(delay, now, newest.FinishedAt);
        return null;
    }

    /// <summary>What was waited before the start that was allowed last; null where nothing had ended before it.</summary>
    /// <param name="pod">Whose.</param>
    /// <param name="container">Its name.</param>
    /// <param name="image">As in the spec.</param>
    public TimeSpan? WaitedBefore(PodUid pod, string container, string image) => _entries.GetValueOrDefault((pod, container, image))?.Waited;

    public void Forget(PodUid pod)
    {
        foreach (var key in _entries.Keys.Where(k => k.Pod == pod))
        {
            _entries.TryRemove(key, out _);
        }
    }

    private TimeSpan Following(TimeSpan waited) => Capped(waited == TimeSpan.Zero ? initial : waited * 2);

    private TimeSpan Capped(TimeSpan delay) => delay < longest ? delay : longest;

    // What was waited before the newest attempt: null when it was the first one.
    private TimeSpan? Waited(IReadOnlyList<RuntimeContainerStatus> ended)
    {
        if (ended[0].RestartCount == 0)
        {
            return null;
        }

        if (double.TryParse(ended[0].Annotations.GetValueOrDefault(CriNames.RestartDelay), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double told) && told >= 0)
        {
            return told < longest.TotalSeconds ? TimeSpan.FromSeconds(told) : longest;
        }

        TimeSpan gap = ended.Count > 1 && ended[1].FinishedAt != default ? ended[0].StartedAt - ended[1].FinishedAt : TimeSpan.Zero;
        TimeSpan waited = TimeSpan.Zero;
        for (TimeSpan next = Capped(initial); next <= gap && next > waited; next = Following(next))
        {
            waited = next;
        }

        return waited;
    }

    /// <param name="Waited">Before the last start; null = nothing ended before it.</param>
    /// <param name="StartedAt">When the last start was made.</param>
    /// <param name="Passed">The end after which the last start was allowed.</param>
    private sealed record Entry(TimeSpan? Waited, DateTimeOffset StartedAt, DateTimeOffset? Passed);
}
