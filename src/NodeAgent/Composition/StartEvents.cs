using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubernetes.Events;

namespace NodeAgent.Composition;

/// <summary>What a start has found.</summary>
/// <param name="CgroupWarning">cgroup v1, or null.</param>
/// <param name="MemoryMayBeSwapped">Swap is on and the kernel cannot keep a tmpfs out of it.</param>
/// <param name="AllocatableError">Why the limit of all pods is not in force, or null.</param>
/// <param name="Enforced">What of node allocatable is in force.</param>
internal sealed record StartFindings(string? CgroupWarning, bool MemoryMayBeSwapped, string? AllocatableError, IReadOnlyList<string> Enforced);

/// <summary>Events about the node at the agent's start.</summary>
internal static class StartEvents
{
    /// <summary>How long an agent that ends may take to tell why.</summary>
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(5);

    /// <summary>All of them, in order. Pure.</summary>
    public static IEnumerable<(string Type, string Reason, string Message)> Of(StartFindings findings)
    {
        yield return (EventTypes.Normal, "Starting", "Starting kubelet.");
        if (findings.MemoryMayBeSwapped)
        {
            yield return (EventTypes.Warning, "PossibleMemoryBackedVolumesOnDisk",
                "This kernel cannot keep a tmpfs out of swap (noswap, Linux 6.4), and swap is on: what is in memory-backed volumes (secrets, emptyDirs of medium Memory) may be written to disk.");
        }

        if (findings.CgroupWarning is { } warning)
        {
            yield return (EventTypes.Warning, "CgroupV1", warning);
        }

        if (findings.AllocatableError is { } error)
        {
            yield return (EventTypes.Warning, "FailedNodeAllocatableEnforcement", $"Failed to update Node Allocatable Limits \"kubepods\": {error}");
        }

        foreach (string enforced in findings.Enforced)
        {
            yield return (EventTypes.Normal, "NodeAllocatableEnforced", enforced);
        }
    }

    /// <summary>Runs the set-up; where it fails, an event tells why before the error goes on.</summary>
    /// <param name="setUp">The set-up.</param>
    /// <param name="events">Events about the node.</param>
    /// <param name="broadcaster">Sends them, and does not run yet; null = nowhere to send to.</param>
    /// <param name="time">Clock.</param>
    public static async Task ToldAsync(Func<Task> setUp, NodeEvents events, EventBroadcaster? broadcaster, TimeProvider time)
    {
        try
        {
            await setUp();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            events.Record(EventTypes.Warning, "KubeletSetupFailed", e.Message);
            if (broadcaster is not null)
            {
                using CancellationTokenSource limit = new(LastWord, time);
                await broadcaster.SendLastAsync(limit.Token);
            }

            throw;
        }
    }
}
