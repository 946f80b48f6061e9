using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet;

/// <summary>Upstream's layout below the root directory (default /var/lib/kubelet). Source: pkg/kubelet/kubelet_getters.go.</summary>
/// <param name="Root">--root-dir.</param>
/// <param name="PodLogs">podLogsDir (default /var/log/pods).</param>
public sealed record KubeletPaths(string Root, string PodLogs)
{
    /// <summary>Parent of all pods' folders.</summary>
    public string Pods => Path.Combine(Root, "pods");
    /// <summary>Parent of plugin folders.</summary>
    public string Plugins => Path.Combine(Root, "plugins");
    /// <summary>Registration sockets.</summary>
    public string PluginsRegistry => Path.Combine(Root, "plugins_registry");
    /// <summary>Client and serving certificates (default of --cert-dir).</summary>
    public string Pki => Path.Combine(Root, "pki");

    /// <summary>The pod's folder. Throws ArgumentException where the UID is no path segment.</summary>
    public string Pod(PodUid uid) => uid.IsPathSafe ? Path.Combine(Pods, uid.Value)
        : throw new ArgumentException($"pod UID \"{uid}\" cannot be a folder name", nameof(uid));
    /// <summary>Parent of the pod's volumes.</summary>
    public string PodVolumes(PodUid uid) => Path.Combine(Pod(uid), "volumes");
    /// <summary>A volume's folder; plugin names have their slash escaped as "~" ("kubernetes.io~empty-dir").</summary>
    public string PodVolume(PodUid uid, string escapedPlugin, string volume) => Path.Combine(PodVolumes(uid), escapedPlugin, volume);
    /// <summary>Parent of subPath binds.</summary>
    public string PodVolumeSubpaths(PodUid uid) => Path.Combine(Pod(uid), "volume-subpaths");
    /// <summary>Plugins' own state for the pod.</summary>
    public string PodPlugins(PodUid uid) => Path.Combine(Pod(uid), "plugins");
    /// <summary>A container's folder (termination log files).</summary>
    public string PodContainer(PodUid uid, string container) => Path.Combine(Pod(uid), "containers", container);
    /// <summary>The pod's managed hosts file.</summary>
    public string PodHostsFile(PodUid uid) => Path.Combine(Pod(uid), "etc-hosts");
    /// <summary>The pod's log folder: namespace_name_uid.</summary>
    public string PodLogFolder(PodRef pod) => Path.Combine(PodLogs, $"{pod.Namespace}_{pod.Name}_{pod.Uid}");
}
