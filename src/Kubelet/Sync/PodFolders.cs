using NodeAgent.Kubelet.Pods;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Sync;

/// <summary>The pod's own folders below the root directory.</summary>
internal static class PodFolders
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    /// <summary>Makes podDir, volumes and plugins (0750).</summary>
    public static void Ensure(KubeletPaths paths, PodUid uid)
    {
        Directory.CreateDirectory(paths.Pod(uid), Mode);
        Directory.CreateDirectory(paths.PodVolumes(uid), Mode);
        Directory.CreateDirectory(paths.PodPlugins(uid), Mode);
    }

    /// <summary>
    /// Removes the pod's folder after its volumes are torn down: the folders that only the agent writes, and what volumes left
    /// behind only where it is empty, so that nothing of a volume that is still mounted can be lost.
    /// </summary>
    public static void Remove(KubeletPaths paths, PodUid uid)
    {
        string root = paths.Pod(uid);
        if (!Directory.Exists(root))
        {
            return;
        }

        RemoveEmpty(paths.PodVolumeSubpaths(uid));
        RemoveEmpty(paths.PodVolumes(uid));
        if (Directory.Exists(paths.PodVolumes(uid)) || Directory.Exists(paths.PodVolumeSubpaths(uid)))
        {
            throw new IOException($"folder {root} still holds volumes; they are torn down first");
        }

        TreeRemover.Remove(root);
    }

    private static void RemoveEmpty(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        foreach (string child in Directory.EnumerateDirectories(folder))
        {
            if (new DirectoryInfo(child).LinkTarget is null)
            {
                RemoveEmpty(child);
            }
        }

        if (!Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
        }
    }
}
