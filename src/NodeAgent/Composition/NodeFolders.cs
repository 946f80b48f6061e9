using NodeAgent.Kubelet;

namespace NodeAgent.Composition;

/// <summary>The folders the kubelet half works in, with upstream's modes.</summary>
internal static class NodeFolders
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Group = Owner | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;
    private const UnixFileMode All = Group | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    public static void Prepare(KubeletPaths paths)
    {
        Directory.CreateDirectory(paths.Root, Group);
        foreach (string folder in (string[])[paths.Pods, paths.Plugins, paths.PluginsRegistry, Path.Combine(paths.Root, "pod-resources")])
        {
            Directory.CreateDirectory(folder, Group);
        }

        Directory.CreateDirectory(paths.PodLogs, Group);
        Directory.CreateDirectory("/var/log/containers", All);
    }
}
