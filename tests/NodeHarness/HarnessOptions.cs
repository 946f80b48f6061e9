namespace NodeAgent.Harness;

/// <summary>Which API server a cluster gets.</summary>
public enum ControlPlaneKind
{
    /// <summary>The real one where its programs are found, else the stand-in.</summary>
    Best,

    /// <summary>etcd, kube-apiserver, kube-controller-manager and kube-scheduler.</summary>
    Real,

    /// <summary>tests/StandInApiServer.</summary>
    StandIn,
}

/// <summary>Names, networks and ports of one cluster of one node; everything of it is below the folder.</summary>
public sealed record HarnessOptions
{
    /// <summary>Where all state, sockets, logs and certificates are. Short: socket paths have at most 107 bytes.</summary>
    public required string Folder { get; init; }

    /// <summary>The node's name.</summary>
    public string NodeName { get; init; } = "e2e-node";

    /// <summary>Prefix of host-wide names: cgroup, bridge (at most 15 characters), CNI network.</summary>
    public string Prefix { get; init; } = "nae2e";

    /// <summary>The second number of the pods' network 10.N.0.0/16.</summary>
    public int PodNetwork { get; init; } = 213;

    /// <summary>The second number of the Services' network 10.N.0.0/16.</summary>
    public int ServiceNetwork { get; init; } = 214;

    /// <summary>Which API server.</summary>
    public ControlPlaneKind ControlPlane { get; init; } = ControlPlaneKind.Best;

    /// <summary>A folder with containerd and its shims; null takes $CONTAINERD_BINARY's, or the host's.</summary>
    public string? ContainerdFolder { get; init; }

    /// <summary>The kubelet's maxPods.</summary>
    public int MaxPods { get; init; } = 250;

    /// <summary>The kubelet's fileCheckFrequency, as its configuration writes it.</summary>
    public string FileCheckFrequency { get; init; } = "1s";

    /// <summary>Told at each step.</summary>
    public Action<string> Announce { get; init; } = _ => { };

    /// <summary>The pods' cluster-wide network.</summary>
    public string PodRange => $"10.{PodNetwork}.0.0/16";

    /// <summary>This node's part of it.</summary>
    public string NodePodRange => $"10.{PodNetwork}.0.0/24";

    /// <summary>The Services' network.</summary>
    public string ServiceRange => $"10.{ServiceNetwork}.0.0/16";

    /// <summary>Options from the environment: NODE_AGENT_E2E_CONTROL_PLANE = real, stand-in or empty.</summary>
    public static ControlPlaneKind ControlPlaneFromEnvironment() => Environment.GetEnvironmentVariable("NODE_AGENT_E2E_CONTROL_PLANE") switch
    {
        "real" => ControlPlaneKind.Real,
        "stand-in" => ControlPlaneKind.StandIn,
        null or "" => ControlPlaneKind.Best,
        string other => throw new InvalidOperationException($"NODE_AGENT_E2E_CONTROL_PLANE={other}: use real or stand-in"),
    };
}
