using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>Which restart policy counts for a container. Pure. Source: pkg/api/v1/pod/util.go; KEP-5307.</summary>
internal static class RestartRules
{
    /// <summary>After an exit: Always where a rule of the container's matches its code, else the container's policy, else the pod's.</summary>
    public static string PolicyAfter(Pod pod, Container c, int exitCode)
    {
        foreach (ContainerRestartRule rule in c.RestartPolicyRules)
        {
            if (rule.Action == "Restart" && rule.ExitCodes is { } codes && codes.Values.Contains(exitCode) == (codes.Operator == "In"))
            {
                return "Always";
            }
        }

        return Policy(pod, c);
    }

    /// <summary>Without an exit code, as for a failed probe: rules do not count.</summary>
    public static string Policy(Pod pod, Container c) => c.RestartPolicy ?? pod.Spec.RestartPolicy ?? "Always";

    /// <summary>Whether a container that ended so runs again.</summary>
    public static bool Restarts(Pod pod, Container c, int exitCode) => PolicyAfter(pod, c, exitCode) switch
    {
        "Never" => false,
        "OnFailure" => exitCode != 0,
        _ => true,
    };
}
