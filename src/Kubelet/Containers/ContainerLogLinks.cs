using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Containers;

/// <summary>The links by which log collectors find a container's log and know whose it is. Source: pkg/kubelet/kuberuntime/legacy.go.</summary>
internal static class ContainerLogLinks
{
    private const int LongestBase = 251;

    /// <summary>Upstream's /var/log/containers beside /var/log/pods; with pod logs elsewhere, the folder of that name beside them.</summary>
    public static string FolderOf(KubeletPaths paths) => Path.Combine(Path.GetDirectoryName(paths.PodLogs) ?? "/", "containers");

    /// <summary>File name of the link. Pure.</summary>
    public static string NameOf(PodRef pod, string container, string containerId)
    {
        string name = $"{pod.Name}_{pod.Namespace}_{container}-{containerId}".Replace('/', '_');
        return (name.Length > LongestBase ? name[..LongestBase] : name) + ".log";
    }

    /// <summary>Makes the link where the log exists; a link of this name that leads elsewhere is replaced.</summary>
    public static void Create(string folder, string name, string log)
    {
        if (!File.Exists(log))
        {
            return;
        }

        string link = Path.Combine(folder, name);
        try
        {
            File.CreateSymbolicLink(link, log);
        }
        catch (IOException)
        {
            // The folder is not there, or the name is taken.
            Directory.CreateDirectory(folder);
            var there = new FileInfo(link);
            if (there.LinkTarget == log)
            {
                return;
            }

            if (there.LinkTarget is not null)
            {
                File.Delete(link);
            }

            File.CreateSymbolicLink(link, log);
        }
    }

    /// <summary>Removes the link of a container, if it is there.</summary>
    public static void Remove(string folder, string name)
    {
        if (Directory.Exists(folder))
        {
            File.Delete(Path.Combine(folder, name));
        }
    }

    /// <summary>Removes links to logs that are gone.</summary>
    /// <param name="folder">Of the links.</param>
    /// <param name="logsRoot">Links that lead elsewhere are somebody else's.</param>
    /// <param name="alive">Ids of containers whose links stay.</param>
    public static void RemoveDangling(string folder, string logsRoot, IReadOnlySet<string> alive)
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        foreach (string link in Directory.EnumerateFileSystemEntries(folder, "*.log"))
        {
            string name = Path.GetFileNameWithoutExtension(link);
            if (new FileInfo(link).LinkTarget is { } target && target.StartsWith(logsRoot + "/", StringComparison.Ordinal) && !File.Exists(target)
                && !alive.Contains(name[(name.LastIndexOf('-') + 1)..]))
            {
                File.Delete(link);
            }
        }
    }
}
