using NodeAgent.Kubelet.Pods;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Names in the kubepods tree. Pure. Source: pkg/kubelet/cm/{pod_container_manager_linux,cgroup_manager_linux}.go.</summary>
/// <param name="Root">cgroupRoot.</param>
public sealed record PodCgroupNames(CgroupName Root)
{
    private const string PodPrefix = "pod";

    /// <summary>…/kubepods, where Guaranteed pods are, too.</summary>
    public CgroupName Kubepods { get; } = Root.Child("kubepods");

    /// <summary>…/kubepods/burstable.</summary>
    public CgroupName Burstable => Kubepods.Child("burstable");

    /// <summary>…/kubepods/besteffort.</summary>
    public CgroupName BestEffort => Kubepods.Child("besteffort");

    /// <summary>The three parents of pods.</summary>
    public IEnumerable<CgroupName> Classes => [Kubepods, Burstable, BestEffort];

    /// <summary>Parent of the pods of a class.</summary>
    public CgroupName Class(QosClass qos) => qos switch
    {
        QosClass.Guaranteed => Kubepods,
        QosClass.Burstable => Burstable,
        _ => BestEffort,
    };

    /// <summary>A pod's cgroup.</summary>
    /// <exception cref="ArgumentException">The UID is no path segment.</exception>
    public CgroupName Pod(QosClass qos, PodUid uid) => uid.IsPathSafe ? Class(qos).Child(PodPrefix + uid.Value)
        : throw new ArgumentException($"pod UID \"{uid}\" cannot name a cgroup", nameof(uid));

    /// <summary>The UID in the name of a folder below one of the classes; null where the folder is no pod's.</summary>
    /// <param name="folder">e.g. pod1234-… or kubepods-burstable-pod1234_….slice.</param>
    /// <param name="driver">How names are spelled on disk.</param>
    public static PodUid? UidOf(string folder, CgroupDriver driver)
    {
        string name = folder;
        if (driver == CgroupDriver.Systemd)
        {
            if (!folder.EndsWith(".slice", StringComparison.Ordinal))
            {
                return null;
            }

            // systemd's escape of dashes is taken back; UIDs hold no underscore of their own.
            name = folder[(folder.LastIndexOf('-') + 1)..^".slice".Length].Replace('_', '-');
        }

        return name.StartsWith(PodPrefix, StringComparison.Ordinal) && new PodUid(name[PodPrefix.Length..]) is { IsPathSafe: true } uid ? uid : null;
    }
}
