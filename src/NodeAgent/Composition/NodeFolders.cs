using NodeAgent.Hosting;
using NodeAgent.Kubelet;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Composition;

/// <summary>The folders the kubelet half works in, with upstream's modes.</summary>
internal static class NodeFolders
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Group = Owner | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;
    private const UnixFileMode All = Group | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <exception cref="StartRefusedException">The root directory cannot be made a shared mount.</exception>
    public static void Prepare(KubeletPaths paths)
    {
        Directory.CreateDirectory(paths.Root, Group);
        Share(paths.Root);
        foreach (string folder in (string[])[paths.Pods, paths.Plugins, paths.PluginsRegistry, Path.Combine(paths.Root, "pod-resources")])
        {
            Directory.CreateDirectory(folder, Group);
        }

        Directory.CreateDirectory(paths.PodLogs, Group);
        Directory.CreateDirectory("/var/log/containers", All);
    }

    // What drivers in pods mount below it has to reach the host and other pods.
    private static void Share(string root)
    {
        try
        {
            SharedMount.Ensure(root);
        }
        catch (LinuxException e)
        {
            throw new StartRefusedException($"--root-dir {root} cannot be made a shared mount: {e.Message}; run the agent as root outside of mount namespaces that forbid mounting, or run mount --make-rshared on the file system it is on");
        }
    }
}
