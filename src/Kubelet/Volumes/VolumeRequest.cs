using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>One volume of one pod to set up.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="Volume">The entry of spec.volumes.</param>
/// <param name="Key">Key for <see cref="BlockingWork"/>: what hangs together.</param>
internal sealed record VolumeRequest(Pod Pod, Volume Volume, string Key)
{
    /// <summary>The pod's fsGroup where it is set.</summary>
    public uint? FsGroup => Pod.Spec.SecurityContext?.FsGroup is { } group ? checked((uint)group) : null;
}

/// <summary>Sets up volumes of one kind. Setting up what is set up already refreshes its content.</summary>
internal interface IVolumePlugin
{
    /// <summary>True where the volume is of this kind.</summary>
    bool Handles(Volume volume);

    /// <summary>The key its calls run under; calls with one key wait for one another.</summary>
    string Key(Pod pod, Volume volume) => $"{pod.Metadata.Uid}/{volume.Name}";

    /// <summary>Sets the volume up; throws <see cref="VolumeSetupException"/>, or an IOException that the manager wraps.</summary>
    Task<MountedVolume> SetUpAsync(VolumeRequest request, CancellationToken cancellationToken);
}

/// <summary>What plugins do their work with.</summary>
/// <param name="Paths">Upstream's layout.</param>
/// <param name="Mounter">Mounts.</param>
/// <param name="Work">Threads for all that may block.</param>
internal sealed record VolumeHost(KubeletPaths Paths, IMounter Mounter, BlockingWork Work)
{
    /// <summary>Makes the folder of a volume with its parents (0750), and the volume's own mode whatever the umask is. Blocking.</summary>
    public string MakeVolumeFolder(PodUid uid, string escapedPlugin, string volume, int mode)
    {
        string path = Paths.PodVolume(uid, escapedPlugin, Segments.Checked(volume, "spec.volumes[].name"));
        MakeFolders(Path.GetDirectoryName(path)!);
        using var parent = FileAt.OpenDirectory(Path.GetDirectoryName(path)!);
        if (!FileAt.MakeDirectory(parent, volume, mode))
        {
            using var folder = FileAt.OpenDirectory(path);
            // setgid may have come with fsGroup and stays.
            if ((FileAt.Status(folder).Mode & 0x1FF) != mode && !FileAt.Status(folder).IsMountRoot)
            {
                FileAt.SetMode(folder, mode);
            }
        }

        return path;
    }

    /// <summary>Makes folders (0750) down to a path. Blocking.</summary>
    public static void MakeFolders(string path) => Directory.CreateDirectory(
        path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);

    /// <summary>Upstream's marker that an emptyDir, or the one below another volume, is set up. Blocking.</summary>
    public string ReadyMarker(PodUid uid, string name) => Path.Combine(
        Paths.PodPlugins(uid), EmptyDirPlugin.Escaped, Segments.Checked(name, "spec.volumes[].name"), "ready");
}

/// <summary>Names from API objects that become one segment of a path.</summary>
internal static class Segments
{
    /// <summary>True where the text is one segment that stays where it is.</summary>
    public static bool IsSafe(string name) => name is { Length: > 0 and <= 255 } and not ("." or "..")
        && name.AsSpan().IndexOfAny('/', '\0') < 0;

    /// <summary>The name, or an ArgumentException that names the field.</summary>
    public static string Checked(string name, string field) => IsSafe(name) ? name
        : throw new ArgumentException($"{field} \"{name}\" cannot be a file name");
}
