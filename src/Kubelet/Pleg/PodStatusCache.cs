using System.Collections.Concurrent;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Pleg;

/// <summary>The newest observation of each pod. Only the PLEG writes it; an older observation never replaces a newer one.</summary>
public sealed class PodStatusCache
{
    private readonly ConcurrentDictionary<PodUid, RuntimePodStatus> _statuses = new();

    /// <summary>All UIDs the runtime has anything of.</summary>
    public ICollection<PodUid> Uids => _statuses.Keys;

    /// <summary>All observations.</summary>
    public ICollection<RuntimePodStatus> All => _statuses.Values;

    /// <summary>The newest observation, or null where the runtime has nothing of the pod.</summary>
    public RuntimePodStatus? Get(PodUid uid) => _statuses.GetValueOrDefault(uid);

    /// <summary>Whether anything of the pod ran when it was last seen.</summary>
    public bool AnythingRunning(PodUid uid) => Get(uid)?.AnythingRunning == true;

    /// <summary>The pod whose sandbox or container has that id, or null. Events ask for it: nothing is copied.</summary>
    internal PodRef? PodOf(string id)
    {
        foreach ((PodUid _, RuntimePodStatus status) in _statuses)
        {
            if (Has(status, id))
            {
                return status.Pod;
            }
        }

        return null;
    }

    private static bool Has(RuntimePodStatus status, string id)
    {
        foreach (RuntimeSandboxStatus sandbox in status.Sandboxes)
        {
            if (sandbox.Id == id)
            {
                return true;
            }
        }

        foreach (RuntimeContainerStatus container in status.Containers)
        {
            if (container.Id.Id == id)
            {
                return true;
            }
        }

        return false;
    }

    internal bool Set(RuntimePodStatus status)
    {
        bool stored = true;
        _statuses.AddOrUpdate(status.Pod.Uid, status, (_, known) =>
        {
            stored = known.ObservedAt <= status.ObservedAt;
            return stored ? status : known;
        });
        return stored;
    }

    internal void Remove(PodUid uid) => _statuses.TryRemove(uid, out _);
}
