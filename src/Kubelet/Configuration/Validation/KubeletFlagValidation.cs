using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Rules about what exists only as flags.</summary>
internal static class KubeletFlagValidation
{
    private static readonly string[] AllowedLabels =
    [
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region", "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
    ];

    internal static IEnumerable<ConfigurationProblem> Validate(KubeletFlags flags)
    {
        foreach (string label in flags.NodeLabels.Keys.Where(l => !IsAllowed(l)))
        {
            yield return Invalid("--node-labels", $"label \"{label}\" lies in a kubernetes.io or k8s.io namespace a node may not set",
                "use a prefix kubelet.kubernetes.io, node.kubernetes.io, or one of your own");
        }
        if (flags.CloudProvider is not ("" or "external"))
            yield return Invalid("--cloud-provider", $"\"{flags.CloudProvider}\" is not supported", "use external or leave it empty");
        if (flags.ExitOnLockContention && flags.LockFile.Length == 0)
            yield return Invalid("--exit-on-lock-contention", "needs --lock-file", "give --lock-file");
        if (flags.HostnameOverride.Length > 0 && flags.HostnameOverride.Trim().Length == 0)
            yield return Invalid("--hostname-override", "is only white space", "give a name or leave it out");
    }

    private static bool IsAllowed(string label)
    {
        int slash = label.IndexOf('/', StringComparison.Ordinal);
        string name = slash < 0 ? "" : label[..slash];
        bool reserved = IsOrEndsWith(name, "kubernetes.io") || IsOrEndsWith(name, "k8s.io");
        return !reserved || AllowedLabels.Contains(label) || IsOrEndsWith(name, "kubelet.kubernetes.io") || IsOrEndsWith(name, "node.kubernetes.io");
    }

    private static bool IsOrEndsWith(string name, string suffix) => name == suffix || name.EndsWith($".{suffix}", StringComparison.Ordinal);

    private static ConfigurationProblem Invalid(string flag, string message, string remedy) =>
        new(ConfigurationProblemKind.Invalid, ConfigurationProblem.CommandLine, flag, message, remedy);
}
