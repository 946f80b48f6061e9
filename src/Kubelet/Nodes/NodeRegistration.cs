using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>The Node as first created, and what is mended on one that exists. Pure. Source: pkg/kubelet/kubelet_node_status.go.</summary>
public static class NodeRegistration
{
    /// <summary>Says that the attach/detach controller serves this node.</summary>
    public const string AttachDetachAnnotation = "volumes.kubernetes.io/controller-managed-attach-detach";

    /// <summary>The --node-ip with an external cloud.</summary>
    public const string ProvidedNodeIPAnnotation = "alpha.kubernetes.io/provided-node-ip";

    private static readonly string[] ReconciledLabels =
    [
        "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region", "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
        "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
    ];

    /// <summary>The Node to create.</summary>
    public static Node Initial(NodeOptions options, NodeObservation seen)
    {
        List<Taint> taints = [.. options.Taints];
        if (options.ExternalCloud)
        {
            taints.Add(new Taint { Key = "node.cloudprovider.kubernetes.io/uninitialized", Value = "true", Effect = "NoSchedule" });
        }

        return new Node
        {
            Metadata = new ObjectMeta { Name = options.NodeName, Labels = Labels(options), Annotations = Annotations(options, new Dictionary<string, string>()) },
            Spec = NodeSpec.Empty with { ProviderID = options.ProviderId.Length > 0 ? options.ProviderId : null, Taints = taints },
            Status = NodeStatusSetters.Apply(NodeStatus.Empty, options, seen),
        };
    }

    /// <summary>An existing Node with what the kubelet owns put right: default labels, annotations. Spec, taints and user labels stay.</summary>
    public static Node Reconcile(Node existing, NodeOptions options)
    {
        Dictionary<string, string> labels = new(existing.Metadata.Labels);
        Dictionary<string, string> wanted = Labels(options);
        foreach (string name in ReconciledLabels)
        {
            if (wanted.TryGetValue(name, out string? value))
            {
                labels[name] = value;
            }
        }

        return WithAnnotations(existing with { Metadata = existing.Metadata with { Labels = labels } }, options);
    }

    /// <summary>An existing Node with the kubelet's annotations; its labels are put right at registration alone, so that others may change them after.</summary>
    public static Node WithAnnotations(Node existing, NodeOptions options) =>
        existing with { Metadata = existing.Metadata with { Annotations = Annotations(options, existing.Metadata.Annotations) } };

    /// <summary>Default labels, then --node-labels.</summary>
    public static Dictionary<string, string> Labels(NodeOptions options)
    {
        string architecture = HostInformation.GoArchitecture();
        Dictionary<string, string> labels = new()
        {
            ["kubernetes.io/hostname"] = options.Hostname,
            ["kubernetes.io/os"] = "linux",
            ["kubernetes.io/arch"] = architecture,
            ["beta.kubernetes.io/os"] = "linux",
            ["beta.kubernetes.io/arch"] = architecture,
        };
        foreach ((string key, string value) in options.Labels)
        {
            labels[key] = value;
        }

        return labels;
    }

    /// <summary>The capacity in force when the kubepods cgroup is made.</summary>
    public static IReadOnlyDictionary<string, Quantity> Capacity(NodeOptions options, MachineCapacity machine) =>
        NodeStatusSetters.Capacity(new Dictionary<string, Quantity>(), options, machine);

    private static Dictionary<string, string> Annotations(NodeOptions options, IReadOnlyDictionary<string, string> before)
    {
        Dictionary<string, string> annotations = new(before);
        annotations.Remove(ProvidedNodeIPAnnotation);
        if (options.ControllerAttachDetach)
        {
            annotations[AttachDetachAnnotation] = "true";
        }
        else
        {
            annotations.Remove(AttachDetachAnnotation);
        }

        if (options.ExternalCloud && options.NodeIPs.Count > 0)
        {
            annotations[ProvidedNodeIPAnnotation] = string.Join(',', options.NodeIPs);
        }

        return annotations;
    }
}
