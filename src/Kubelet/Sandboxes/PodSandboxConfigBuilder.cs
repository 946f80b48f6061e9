using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Sandboxes;

/// <summary>What a sandbox gets of its surroundings.</summary>
/// <param name="LogFolder">Of the pod.</param>
/// <param name="CgroupParent">CRI cgroup_parent.</param>
/// <param name="Limits">What of the node limits depend on.</param>
/// <param name="Users">Its user namespace.</param>
internal sealed record SandboxSurroundings(string LogFolder, string CgroupParent, ContainerLimitsOptions Limits, UserNamespace Users);

/// <summary>Makes the sandbox's CRI configuration. Pure. Source: pkg/kubelet/kuberuntime/kuberuntime_sandbox.go.</summary>
internal static class PodSandboxConfigBuilder
{
    /// <exception cref="FormatException">The pod's host name cannot be had.</exception>
    public static PodSandboxConfig Build(Pod pod, uint attempt, PodDns dns, string clusterDomain, SandboxSurroundings surroundings)
    {
        var config = new PodSandboxConfig
        {
            Metadata = new PodSandboxMetadata { Name = pod.Metadata.Name, Namespace = pod.Metadata.Namespace, Uid = pod.Metadata.Uid, Attempt = attempt },
            LogDirectory = surroundings.LogFolder,
            DnsConfig = dns.Config,
            Hostname = pod.IsHostNetwork ? "" : PodHostname.ForSandbox(pod, clusterDomain),
            Linux = Linux(pod, surroundings),
        };
        config.Labels.Add(Labels(pod));
        config.Annotations.Add(pod.Metadata.Annotations.ToDictionary(a => a.Key, a => a.Value));
        config.PortMappings.AddRange(Ports(pod));
        return config;
    }

    private static Dictionary<string, string> Labels(Pod pod) => new(pod.Metadata.Labels)
    {
        [CriNames.PodName] = pod.Metadata.Name ?? "",
        [CriNames.PodNamespace] = pod.Metadata.Namespace ?? "",
        [CriNames.PodUid] = pod.Metadata.Uid ?? "",
    };

    /// <summary>Ports of the main containers; within one container a name, or where there is none the same port, counts once.</summary>
    private static IEnumerable<PortMapping> Ports(Pod pod)
    {
        foreach (Container container in pod.Spec.Containers)
        {
            var seen = new HashSet<string>();
            foreach (ContainerPort port in container.Ports)
            {
                string protocol = (port.Protocol ?? "TCP").ToUpperInvariant();
                string family = port.HostIP is not { Length: > 0 } ip ? "any" : ip.Contains(':', StringComparison.Ordinal) ? "v6" : "v4";
                if (seen.Add(port.Name is { Length: > 0 } name ? name : $"{family}-{protocol}-{port.HostIP}:{port.ContainerPortValue}:{port.HostPort}"))
                {
                    yield return new PortMapping
                    {
                        Protocol = protocol switch { "UDP" => Protocol.Udp, "SCTP" => Protocol.Sctp, _ => Protocol.Tcp },
                        ContainerPort = port.ContainerPortValue,
                        HostPort = port.HostPort ?? 0,
                        HostIp = port.HostIP ?? "",
                    };
                }
            }
        }
    }

    private static LinuxPodSandboxConfig Linux(Pod pod, SandboxSurroundings surroundings)
    {
        PodSecurityContext? own = pod.Spec.SecurityContext;
        var security = new LinuxSandboxSecurityContext
        {
            NamespaceOptions = Namespaces(pod, surroundings.Users, null),
            Privileged = pod.Spec.Containers.Concat(pod.Spec.InitContainers).Any(c => c.SecurityContext?.Privileged == true),
            Seccomp = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.RuntimeDefault },
            ReadonlyRootfs = false,
        };
        if (own is not null)
        {
            security.RunAsUser = own.RunAsUser is { } user ? new Int64Value { Value = user } : null;
            security.RunAsGroup = own.RunAsGroup is { } group ? new Int64Value { Value = group } : null;
            security.SupplementalGroups.AddRange(SecurityContextBuilder.SupplementalGroups(own));
            security.SupplementalGroupsPolicy = SecurityContextBuilder.GroupsPolicy(own);
            security.SelinuxOptions = SecurityContextBuilder.SeLinux(own.SeLinuxOptions);
        }

        var linux = new LinuxPodSandboxConfig
        {
            CgroupParent = surroundings.CgroupParent,
            SecurityContext = security,
            Resources = ContainerResourcesBuilder.ForPod(pod, surroundings.Limits),
        };
        foreach (Sysctl sysctl in own?.Sysctls ?? [])
        {
            linux.Sysctls[(sysctl.Name ?? "").Replace('/', '.')] = sysctl.Value ?? "";
        }

        if (pod.Spec.Overhead.Count > 0)
        {
            linux.Overhead = ContainerResourcesBuilder.FromQuantities(pod.Spec.Overhead);
        }

        return linux;
    }

    /// <summary>Namespaces of the pod, or of an ephemeral container that joins another's process namespace.</summary>
    public static NamespaceOption Namespaces(Pod pod, UserNamespace users, string? targetContainerId) => new()
    {
        Ipc = pod.Spec.HostIPC == true ? NamespaceMode.Node : NamespaceMode.Pod,
        Network = pod.IsHostNetwork ? NamespaceMode.Node : NamespaceMode.Pod,
        Pid = targetContainerId is not null ? NamespaceMode.Target
            : pod.Spec.HostPID == true ? NamespaceMode.Node
            : pod.Spec.ShareProcessNamespace == true ? NamespaceMode.Pod : NamespaceMode.Container,
        TargetId = targetContainerId ?? "",
        UsernsOptions = users,
    };
}
