using System.Collections.Concurrent;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// Attempt numbers given to runtime calls whose outcome is not known. The runtime may still work on such a call and list nothing of it
/// yet, so the number is not used again.
/// </summary>
internal sealed class AttemptNumbers
{
    private readonly ConcurrentDictionary<(PodUid Pod, string Name), uint> _next = new();

    // A runtime that went away works on nothing any more; one that was too slow does.
    public static bool OutcomeUnknown(CriException e) => e.Kind == CriErrorKind.DeadlineExceeded;

    /// <returns>The first number that is free as far as known here.</returns>
    public uint After(PodUid pod, string name) => _next.GetValueOrDefault((pod, name));

    public void Used(PodUid pod, string name, uint attempt) => _next.AddOrUpdate((pod, name), attempt + 1, (_, known) => Math.Max(known, attempt + 1));

    public void Forget(PodUid pod)
    {
        foreach ((PodUid, string) key in _next.Keys.Where(k => k.Pod == pod))
        {
            _next.TryRemove(key, out _);
        }
    }
}
