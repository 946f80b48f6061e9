using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>What CRI Status and Version said last. Immutable.</summary>
public sealed record RuntimeState
{
    /// <summary>How long a good answer counts. Source: maxWaitForContainerRuntime in pkg/kubelet/kubelet.go.</summary>
    public static readonly TimeSpan AnswerCountsFor = TimeSpan.FromSeconds(30);

    /// <summary>Before the first answer.</summary>
    public static readonly RuntimeState Initial = new();

    /// <summary>The runtime's name, e.g. containerd; "" before the first answer.</summary>
    public string Name { get; init; } = "";
    /// <summary>The runtime's version; "" before the first answer.</summary>
    public string Version { get; init; } = "";
    /// <summary>When Status was last answered, as a timestamp of the clock, which no change of the date moves; null = never.</summary>
    public long? AnsweredAt { get; init; }
    /// <summary>Why the last Status call failed; null where it did not.</summary>
    public string? CallError { get; init; }
    /// <summary>Why RuntimeReady is not true; null while it is.</summary>
    public string? RuntimeNotReady { get; init; }
    /// <summary>Why NetworkReady is not true; null while it is.</summary>
    public string? NetworkNotReady { get; init; } = "network state unknown";
    /// <summary>Runtime handlers, sorted by name.</summary>
    public IReadOnlyList<NodeRuntimeHandler> Handlers { get; init; } = [];
    /// <summary>features.supplementalGroupsPolicy; null where the runtime does not tell features.</summary>
    public bool? SupplementalGroupsPolicy { get; init; }

    /// <summary>containerRuntimeVersion of nodeInfo.</summary>
    public string Reported => Name.Length == 0 ? "Unknown" : $"{Name}://{Version}";

    /// <summary>Errors of the runtime itself, in upstream's order and words (the cause is added after a colon).</summary>
    public IEnumerable<string> RuntimeErrors(TimeProvider time)
    {
        if (AnsweredAt is not { } last)
        {
            yield return "container runtime status check may not have completed yet" + (CallError is null ? "" : ": " + CallError);
        }
        else if (time.GetElapsedTime(last) > AnswerCountsFor)
        {
            yield return "container runtime is down" + (CallError is null ? "" : ": " + CallError);
        }

        if (RuntimeNotReady is not null)
        {
            yield return RuntimeNotReady;
        }
    }

    /// <summary>True where both conditions hold and the answer still counts.</summary>
    public bool IsReady(TimeProvider time) => !RuntimeErrors(time).Any() && NetworkNotReady is null;
}
