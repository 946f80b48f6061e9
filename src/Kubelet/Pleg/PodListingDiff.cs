using System.Collections.Immutable;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Pleg;

/// <summary>Compares what a list shows of a pod with what the cache holds. Pure. Source: pkg/kubelet/pleg/generic.go.</summary>
internal static class PodListingDiff
{
    /// <summary>True where ids or states differ, so that the full status must be read again.</summary>
    public static bool Differs(RuntimePodStatus? known, RuntimePodListing? listed)
    {
        if (known is null || listed is null)
        {
            return !(known is null && listed is null);
        }

        return !SameSandboxes(known.Sandboxes, listed.Sandboxes) || !SameContainers(known.Containers, listed.Containers);
    }

    /// <summary>Whether a container is listed that runs or has ended, and was not known to. A new sandbox alone, or what is being removed, tells nobody but its worker anything.</summary>
    public static bool ShowsNews(RuntimePodStatus? known, RuntimePodListing? listed) => listed is not null
        && listed.Containers.Any(c => c.State != RuntimeContainerState.Created && known?.Containers.Any(k => k.Id == c.Id && k.State == c.State) != true);

    private static bool SameSandboxes(ImmutableArray<RuntimeSandboxStatus> a, ImmutableArray<RuntimeSandboxStatus> b)
    {
        if (a.Length != b.Length)
        {
            return false;
        }

        foreach (RuntimeSandboxStatus s in b)
        {
            if (!a.Any(k => k.Id == s.Id && k.State == s.State))
            {
                return false;
            }
        }

        return true;
    }

    private static bool SameContainers(ImmutableArray<RuntimeContainerStatus> a, ImmutableArray<RuntimeContainerStatus> b)
    {
        if (a.Length != b.Length)
        {
            return false;
        }

        foreach (RuntimeContainerStatus c in b)
        {
            if (!a.Any(k => k.Id == c.Id && k.State == c.State))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether an earlier observation shows what an event tells of: states only move forward, so there is nothing new to see.</summary>
    public static bool IsKnown(RuntimePodStatus? status, RuntimeEvent e) => e.Kind switch
    {
        RuntimeEventKind.Created or RuntimeEventKind.Started =>
            status?.Containers.FirstOrDefault(c => c.Id.Id == e.Id) is { State: RuntimeContainerState.Running or RuntimeContainerState.Exited }
            || status?.Sandboxes.FirstOrDefault(s => s.Id == e.Id) is not null,
        RuntimeEventKind.Stopped => status?.Containers.FirstOrDefault(c => c.Id.Id == e.Id) is { State: RuntimeContainerState.Exited }
            || status?.Sandboxes.FirstOrDefault(s => s.Id == e.Id) is { State: RuntimeSandboxState.NotReady },
        _ => false,
    };

    /// <summary>Whether the observation bears out what an event said; an event that is not yet borne out is looked at again.</summary>
    public static bool Confirms(RuntimePodStatus? status, RuntimeEvent e) => e.Kind switch
    {
        RuntimeEventKind.Stopped => status?.Containers.FirstOrDefault(c => c.Id.Id == e.Id) is not { State: RuntimeContainerState.Running or RuntimeContainerState.Created }
            && status?.Sandboxes.FirstOrDefault(s => s.Id == e.Id) is not { State: RuntimeSandboxState.Ready },
        RuntimeEventKind.Started => status is not null
            && (status.Containers.Any(c => c.Id.Id == e.Id && c.State != RuntimeContainerState.Created) || status.Sandboxes.Any(s => s.Id == e.Id)),
        RuntimeEventKind.Deleted => status is null || (!status.Containers.Any(c => c.Id.Id == e.Id) && !status.Sandboxes.Any(s => s.Id == e.Id)),
        _ => true,
    };
}

/// <summary>What an event says happened.</summary>
public enum RuntimeEventKind
{
    /// <summary>Created.</summary>
    Created,
    /// <summary>Started.</summary>
    Started,
    /// <summary>Exited or was stopped.</summary>
    Stopped,
    /// <summary>Removed.</summary>
    Deleted,
    /// <summary>Something else that is worth a look (out of memory).</summary>
    Other,
}

/// <summary>An event of the runtime: it says where to look, never what is true.</summary>
/// <param name="Kind">What is said to have happened.</param>
/// <param name="Id">Container or sandbox id.</param>
/// <param name="PodUid">The pod where the event names it; else null and the cache is asked.</param>
public sealed record RuntimeEvent(RuntimeEventKind Kind, string Id, PodUid? PodUid = null);
