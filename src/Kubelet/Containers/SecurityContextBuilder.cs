using NodeAgent.Cri.V1;
using NodeAgent.Kubernetes.Objects;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;
using CriCapability = NodeAgent.Cri.V1.Capability;
using CriSeLinux = NodeAgent.Cri.V1.SELinuxOption;

namespace NodeAgent.Kubelet.Containers;

/// <summary>A container's configuration cannot be made from its spec; the message is what users read in CreateContainerConfigError.</summary>
/// <param name="message">Names object, field and remedy.</param>
public sealed class ContainerConfigException(string message) : Exception(message);

/// <summary>The security context sent to the runtime: container values over pod values. Pure. Source: pkg/securitycontext, kuberuntime/security_context.go.</summary>
internal static class SecurityContextBuilder
{
    private static readonly string[] MaskedPaths =
    [
        "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
        "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
    ];

    private static readonly string[] ReadOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

    public static LinuxContainerSecurityContext Build(
        Pod pod, ApiContainer c, Image? image, string seccompFolder, bool seccompDefault, NamespaceOption namespaces)
    {
        PodSecurityContext p = pod.Spec.SecurityContext ?? new PodSecurityContext();
        SecurityContext s = c.SecurityContext ?? new SecurityContext();
        long? user = s.RunAsUser ?? p.RunAsUser;
        VerifyNonRoot(pod, c, s.RunAsNonRoot ?? p.RunAsNonRoot, user, image);
        var context = new LinuxContainerSecurityContext
        {
            NamespaceOptions = namespaces,
            Privileged = s.Privileged == true,
            ReadonlyRootfs = s.ReadOnlyRootFilesystem == true,
            NoNewPrivs = s.AllowPrivilegeEscalation == false,
            RunAsGroup = (s.RunAsGroup ?? p.RunAsGroup) is { } group ? new Int64Value { Value = group } : null,
            SelinuxOptions = SeLinux(s.SeLinuxOptions ?? p.SeLinuxOptions),
            Seccomp = Seccomp(s.SeccompProfile ?? p.SeccompProfile, seccompFolder, seccompDefault, s.Privileged == true),
            Apparmor = AppArmor(s.AppArmorProfile ?? p.AppArmorProfile),
            SupplementalGroupsPolicy = GroupsPolicy(p),
            Capabilities = Capabilities(s.Capabilities),
        };
        context.SupplementalGroups.AddRange(SupplementalGroups(p));
        if (s.ProcMount != "Unmasked")
        {
            context.MaskedPaths.AddRange(MaskedPaths);
            context.ReadonlyPaths.AddRange(ReadOnlyPaths);
        }

        if (user is { } uid)
        {
            context.RunAsUser = new Int64Value { Value = uid };
        }
        else if (image?.Uid is { } imageUid)
        {
            context.RunAsUser = new Int64Value { Value = imageUid.Value };
        }
        else if (image?.Username is { Length: > 0 } name)
        {
            context.RunAsUsername = name;
        }

        if (context.RunAsGroup is not null && context.RunAsUser is null && context.RunAsUsername.Length == 0)
        {
            context.RunAsUser = new Int64Value { Value = 0 };
        }

        return context;
    }

    private static void VerifyNonRoot(Pod pod, ApiContainer c, bool? nonRoot, long? user, Image? image)
    {
        if (nonRoot != true)
        {
            return;
        }

        string where = $"pod: \"{pod.Metadata.Name}_{pod.Metadata.Namespace}({pod.Metadata.Uid})\", container: {c.Name}";
        if (user == 0)
        {
            throw new ContainerConfigException($"container's runAsUser breaks non-root policy ({where})");
        }

        if (user is null && image is not null)
        {
            if (image.Uid is { Value: 0 })
            {
                throw new ContainerConfigException($"container has runAsNonRoot and image will run as root ({where})");
            }

            if (image.Uid is null && image.Username.Length > 0)
            {
                throw new ContainerConfigException($"container has runAsNonRoot and image has non-numeric user ({image.Username}), cannot verify user is non-root ({where})");
            }

            if (image.Uid is null)
            {
                throw new ContainerConfigException($"container has runAsNonRoot and image will run as root ({where})");
            }
        }
    }

    public static IEnumerable<long> SupplementalGroups(PodSecurityContext p) => p.FsGroup is { } fs ? [fs, .. p.SupplementalGroups] : p.SupplementalGroups;

    public static Cri.V1.SupplementalGroupsPolicy GroupsPolicy(PodSecurityContext p) =>
        p.SupplementalGroupsPolicy == "Strict" ? Cri.V1.SupplementalGroupsPolicy.Strict : Cri.V1.SupplementalGroupsPolicy.Merge;

    public static CriSeLinux? SeLinux(SELinuxOptions? o) => o is null ? null
        : new CriSeLinux { User = o.User ?? "", Role = o.Role ?? "", Type = o.Type ?? "", Level = o.Level ?? "" };

    private static SecurityProfile Seccomp(SeccompProfile? profile, string folder, bool defaulted, bool privileged) => profile?.Type switch
    {
        "RuntimeDefault" => Profile(SecurityProfile.Types.ProfileType.RuntimeDefault),
        "Localhost" => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Localhost, LocalhostRef = Localhost(folder, profile.LocalhostProfile ?? "") },
        "Unconfined" => Profile(SecurityProfile.Types.ProfileType.Unconfined),
        _ => Profile(defaulted && !privileged ? SecurityProfile.Types.ProfileType.RuntimeDefault : SecurityProfile.Types.ProfileType.Unconfined),
    };

    private static string Localhost(string folder, string profile)
    {
        string path = Path.GetFullPath(Path.Combine(folder, profile));
        return profile.Length > 0 && path.StartsWith(folder + "/", StringComparison.Ordinal) ? path
            : throw new ContainerConfigException($"securityContext.seccompProfile.localhostProfile \"{profile}\" must be a path below {folder}");
    }

    /// <summary>Nothing said means nothing sent: the runtime knows whether the host has AppArmor at all.</summary>
    private static SecurityProfile? AppArmor(AppArmorProfile? profile) => profile?.Type switch
    {
        null => null,
        "Localhost" => new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Localhost, LocalhostRef = profile.LocalhostProfile ?? "" },
        "Unconfined" => Profile(SecurityProfile.Types.ProfileType.Unconfined),
        _ => Profile(SecurityProfile.Types.ProfileType.RuntimeDefault),
    };

    private static SecurityProfile Profile(SecurityProfile.Types.ProfileType type) => new() { ProfileType = type };

    private static CriCapability? Capabilities(Capabilities? c)
    {
        if (c is null)
        {
            return null;
        }

        var capability = new CriCapability();
        capability.AddCapabilities.AddRange(c.Add);
        capability.DropCapabilities.AddRange(c.Drop);
        return capability;
    }
}
