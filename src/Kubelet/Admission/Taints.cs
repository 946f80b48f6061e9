using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Admission;

/// <summary>Taints and tolerations. Pure. Source: staging api core/v1/toleration.go.</summary>
public static class Taints
{
    /// <summary>True where a toleration matches the taint.</summary>
    public static bool Tolerates(IEnumerable<Toleration> tolerations, Taint taint) => tolerations.Any(t => Tolerates(t, taint));

    /// <summary>The first NoExecute taint that no toleration matches; null where there is none.</summary>
    public static Taint? UntoleratedNoExecute(IEnumerable<Taint> taints, IReadOnlyList<Toleration> tolerations) =>
        taints.FirstOrDefault(t => t.Effect == "NoExecute" && !Tolerates(tolerations, t));

    private static bool Tolerates(Toleration toleration, Taint taint)
    {
        bool meant = string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect;
        bool named = string.IsNullOrEmpty(toleration.Key) || toleration.Key == taint.Key;
        return meant && named && toleration.Operator switch
        {
            null or "" or "Equal" => (toleration.Value ?? "") == (taint.Value ?? ""),
            "Exists" => true,
            // Gt and Lt need the gate TaintTolerationComparisonOperators, which is off by default.
            _ => false,
        };
    }
}

/// <summary>spec.nodeSelector and required node affinity. Pure. Source: component-helpers/scheduling/corev1/nodeaffinity.</summary>
public static class NodeAffinityMatch
{
    /// <summary>True where the node fits both; a malformed term fits no node.</summary>
    public static bool Fits(PodSpec spec, Node node)
    {
        foreach ((string key, string value) in spec.NodeSelector)
        {
            if (!node.Metadata.Labels.TryGetValue(key, out string? label) || label != value)
            {
                return false;
            }
        }

        NodeSelector? required = spec.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution;
        try
        {
            return required is null || NodeSelectors.Matches(required, node);
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
