using System.Globalization;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>One volumeMount with a subPath.</summary>
/// <param name="Pod">The pod.</param>
/// <param name="Container">The container's name.</param>
/// <param name="MountIndex">Position in the container's volumeMounts.</param>
/// <param name="Volume">The mounted volume.</param>
/// <param name="SubPath">The path in the volume, subPathExpr expanded.</param>
public sealed record SubPathRequest(PodUid Pod, string Container, int MountIndex, MountedVolume Volume, string SubPath);

/// <summary>A subPath cannot be bound; the message is what users read.</summary>
public sealed class SubPathException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Binds a path inside a volume to a place that no container can change. The path is resolved below the volume only (symbolic links
/// that lead out fail), and what is bound is the opened file itself, so that swapping names in between has no effect.
/// Source: pkg/volume/util/subpath.
/// </summary>
public sealed class SubPathBinder
{
    private const ResolveFlags Inside = ResolveFlags.Beneath | ResolveFlags.NoMagicLinks;
    /// <summary>How long one bind may take; as long as the volume it is in. Source: volumemanager, podAttachAndMountTimeout.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(123);
    private readonly KubeletPaths _paths;
    private readonly IMounter _mounter;
    private readonly BlockingWork _work;

    /// <summary>Creates the binder.</summary>
    public SubPathBinder(KubeletPaths paths, IMounter mounter, BlockingWork work) => (_paths, _mounter, _work) = (paths, mounter, work);

    /// <summary>Makes the path where it is missing (with the mode of the volume's root), binds it, and gives the bind's path on the host.</summary>
    /// <exception cref="SubPathException">Names the mount and the container.</exception>
    public async Task<string> PrepareAsync(SubPathRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.SubPath.StartsWith('/'))
        {
            throw new SubPathException($"error SubPath `{request.SubPath}` must not be an absolute path");
        }

        if (request.SubPath.Split('/').Contains(".."))
        {
            throw new SubPathException($"unable to provision SubPath `{request.SubPath}`: must not contain '..'");
        }

        string key = request.Volume.Kind == "hostPath" ? "hostPath:" + request.Volume.HostPath : $"{request.Pod}/{request.Volume.Name}";
        try
        {
            return await _work.RunWithinAsync(key, Limit, () => Prepare(request), cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SubPathException($"failed to prepare subPath for volumeMount \"{request.Volume.Name}\" of container \"{request.Container}\": {e.Message}", e);
        }
    }

    private string Prepare(SubPathRequest request)
    {
        using SafeFileHandle root = FileAt.OpenDirectory(request.Volume.HostPath, OpenFlags.ReadOnly);
        using SafeFileHandle source = OpenOrMake(root, request.SubPath);
        FileStatus status = FileAt.Status(source);
        string folder = Path.Combine(
            _paths.PodVolumeSubpaths(request.Pod), Segments.Checked(request.Volume.Name, "volumeMounts[].name"), Segments.Checked(request.Container, "containers[].name"));
        string index = request.MountIndex.ToString(CultureInfo.InvariantCulture);
        string target = Path.Combine(folder, index);
        if (_mounter.List(target).Any(m => m.MountPoint == target))
        {
            if (FileAt.Status(target, followLinks: false)?.IsSameFile(status) == true)
            {
                return target;
            }

            _mounter.Unmount(target, lazy: false);
        }

        VolumeHost.MakeFolders(folder);
        MakeTarget(folder, index, status.Kind);
        _mounter.Bind(FileAt.ProcPath(source), target);
        return target;
    }

    private static void MakeTarget(string folder, string index, FileKind kind)
    {
        using SafeFileHandle parent = FileAt.OpenDirectory(folder);
        FileStatus? there = FileAt.Status(parent, index);
        bool directory = kind == FileKind.Directory;
        if (there is { } old && (old.Kind == FileKind.Directory) != directory)
        {
            FileAt.Remove(parent, index, old.Kind == FileKind.Directory);
            there = null;
        }

        if (there is null && directory)
        {
            FileAt.MakeDirectory(parent, index, 0x1E8);
        }
        else if (there is null)
        {
            FileAt.WriteNew(parent, index, [], 0x1A0, uid: null, flush: false);
        }
    }

    private static SafeFileHandle OpenOrMake(SafeFileHandle root, string subPath)
    {
        string[] segments = [.. subPath.Split('/').Where(s => s is not ("" or "."))];
        string whole = segments.Length == 0 ? "." : string.Join('/', segments);
        if (Open(root, whole) is { } there)
        {
            return there;
        }

        int mode = FileAt.Status(root).Mode;
        SafeFileHandle parent = Open(root, ".")!;
        try
        {
            for (int i = 0; i < segments.Length; i++)
            {
                string upTo = string.Join('/', segments[..(i + 1)]);
                SafeFileHandle? next = Open(root, upTo);
                if (next is null)
                {
                    FileAt.MakeDirectory(parent, segments[i], mode);
                    // Opened by the parent, not by the path: what was made is what is used.
                    next = FileAt.Open(parent, segments[i], OpenFlags.Path | OpenFlags.NoFollow, Inside | ResolveFlags.NoSymlinks);
                }

                parent.Dispose();
                parent = next;
            }

            return parent;
        }
        catch
        {
            parent.Dispose();
            throw;
        }
    }

    private static SafeFileHandle? Open(SafeFileHandle root, string path)
    {
        try
        {
            return FileAt.OpenIfExists(root, path, OpenFlags.Path, Inside);
        }
        catch (LinuxException e) when (e.Errno is Errno.EXDEV or Errno.ELOOP)
        {
            throw new IOException($"\"{path}\" leaves the volume by a symbolic link", e);
        }
    }
}
