using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Admission;

/// <summary>Whether this node takes a pod.</summary>
public abstract record AdmitResult
{
    private AdmitResult()
    {
    }

    /// <summary>It does.</summary>
    public sealed record Admitted : AdmitResult
    {
        /// <summary>The one instance.</summary>
        public static readonly Admitted Instance = new();
    }

    /// <summary>It does, once those pods have ended.</summary>
    /// <param name="Victims">Pods that a critical pod pushes out.</param>
    public sealed record AfterPreemption(IReadOnlyList<Pod> Victims) : AdmitResult;

    /// <summary>It does not; the pod becomes Failed.</summary>
    /// <param name="Reason">status.reason, spelled as upstream.</param>
    /// <param name="Message">For the event; status.message has "Pod was rejected: " before it.</param>
    public sealed record Rejected(string Reason, string Message) : AdmitResult
    {
        /// <summary>status.message.</summary>
        public string StatusMessage => "Pod was rejected: " + Message;
    }
}

/// <summary>What admission looks at.</summary>
/// <param name="Pod">The pod that wants in.</param>
/// <param name="Node">The own Node as last seen; null where never seen.</param>
/// <param name="OtherPods">The other active pods, at their allocated resources.</param>
public sealed record AdmissionRequest(Pod Pod, Node? Node, IReadOnlyList<Pod> OtherPods)
{
    /// <summary>Pressure conditions that hold now: MemoryPressure, DiskPressure, PIDPressure.</summary>
    public IReadOnlyList<string> Pressures { get; init; } = [];
    /// <summary>True while the node shuts down.</summary>
    public bool ShuttingDown { get; init; }
}

/// <summary>One check. Pure.</summary>
public interface IPodAdmitHandler
{
    /// <summary>Decides; the first rejection of the chain counts.</summary>
    AdmitResult Admit(AdmissionRequest request);
}
