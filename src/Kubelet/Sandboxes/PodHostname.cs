using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sandboxes;

/// <summary>A pod's host name and domain. Pure. Source: pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain).</summary>
internal static class PodHostname
{
    private const int LongestHostname = 63;
    private const int LongestFqdn = 64;

    /// <summary>Host name and domain ("" without subdomain).</summary>
    public static (string Hostname, string Domain) Of(Pod pod, string clusterDomain)
    {
        if (pod.Spec.HostnameOverride is { Length: > 0 } given)
        {
            return (given, "");
        }

        string name = pod.Spec.Hostname is { Length: > 0 } own ? own : pod.Metadata.Name ?? "";
        name = name.Length <= LongestHostname ? name : name[..LongestHostname].TrimEnd('-', '.');
        string domain = pod.Spec.Subdomain is { Length: > 0 } sub ? $"{sub}.{pod.Metadata.Namespace}.svc.{clusterDomain}" : "";
        return (name, domain);
    }

    /// <summary>What the sandbox's host name is set to.</summary>
    /// <exception cref="FormatException">setHostnameAsFQDN and the name is longer than Linux allows.</exception>
    public static string ForSandbox(Pod pod, string clusterDomain)
    {
        (string name, string domain) = Of(pod, clusterDomain);
        if (pod.Spec.SetHostnameAsFQDN != true || domain.Length == 0)
        {
            return name;
        }

        string fqdn = $"{name}.{domain}";
        return fqdn.Length <= LongestFqdn ? fqdn : throw new FormatException(
            $"failed to construct FQDN from pod hostname and cluster domain, FQDN {fqdn} is too long ({LongestFqdn} characters is the max, {fqdn.Length} characters requested)");
    }
}
