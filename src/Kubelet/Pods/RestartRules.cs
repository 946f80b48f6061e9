using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>Which restart policy counts for a container. Pure. Source: pkg/api/v1/pod/util.go; KEP-5307.</summary>
internal static class RestartRules
{
    private const string AllContainers = "RestartAllContainers";

    /// <summary>After an exit: Always where a rule of the container's matches its code, else the container's policy, else the pod's.</summary>
    public static string PolicyAfter(Pod pod, Container c, int exitCode)
    {
        return Matching(c, exitCode)?.Action is "Restart" or AllContainers ? "Always" : Policy(pod, c);
    }

    /// <summary>Whether an exit with this code makes all containers of the pod run again from the first init container on.</summary>
    public static bool RestartsAll(Container c, int exitCode) => Matching(c, exitCode)?.Action == AllContainers;

    /// <summary>Whether any exit can.</summary>
    public static bool MayRestartAll(Pod pod) => pod.Spec.InitContainers.Concat(pod.Spec.Containers).Any(c => c.RestartPolicyRules.Any(r => r.Action == AllContainers));

    // The first rule that matches counts, whatever it asks for.
    private static ContainerRestartRule? Matching(Container c, int exitCode) =>
        c.RestartPolicyRules.FirstOrDefault(r => r.ExitCodes is { } codes && codes.Values.Contains(exitCode) == (codes.Operator == "In"));

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
