using System.Runtime.InteropServices;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Mounts;

/// <summary>Makes and undoes mounts. Every call may block in the kernel: use through <see cref="BlockingWork"/>.</summary>
public interface IMounter
{
    /// <summary>Mounts a file system; options are the file system's, comma separated, e.g. "size=1048576".</summary>
    void Mount(string source, string target, string fileSystem, string options);

    /// <summary>Binds a file or folder (not what is mounted below it) to a target of the same kind.</summary>
    void Bind(string source, string target);

    /// <summary>Unmounts the topmost mount at a path; the path's last element is not followed where it is a link. Nothing where the path is no mount point or is gone.</summary>
    /// <param name="target">The mount point.</param>
    /// <param name="lazy">Detach at once, let go when the last user ends (MNT_DETACH).</param>
    void Unmount(string target, bool lazy);

    /// <summary>The mounts at a folder or below.</summary>
    IReadOnlyList<MountEntry> List(string below);

    /// <summary>Whether a file system of its own (tmpfs, hugetlbfs) is mounted at a folder.</summary>
    /// <param name="path">The folder; one that is missing has nothing mounted.</param>
    /// <param name="fileSystem">Its type as the mount table names it.</param>
    bool IsMounted(string path, string fileSystem);
}

/// <summary>The kernel's mounts.</summary>
public sealed class Mounter : IMounter
{
    private const nuint MS_BIND = 0x1000;
    private const int MNT_DETACH = 2;
    private const int UMOUNT_NOFOLLOW = 8;

    /// <inheritdoc/>
    public void Mount(string source, string target, string fileSystem, string options)
    {
        if (Libc.mount(source, target, fileSystem, 0, options) != 0)
        {
            throw new LinuxException("mount", $"{fileSystem} at {target} ({options})", Marshal.GetLastPInvokeError());
        }
    }

    /// <inheritdoc/>
    public void Bind(string source, string target)
    {
        if (Libc.mount(source, target, null, MS_BIND, null) != 0)
        {
            throw new LinuxException("bind mount", $"{source} at {target}", Marshal.GetLastPInvokeError());
        }
    }

    /// <inheritdoc/>
    public void Unmount(string target, bool lazy)
    {
        if (Libc.umount2(target, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) != 0
            && Marshal.GetLastPInvokeError() is var errno and not (Errno.EINVAL or Errno.ENOENT))
        {
            throw new LinuxException("umount", target, errno);
        }
    }

    /// <inheritdoc/>
    public bool IsMounted(string path, string fileSystem)
    {
        if (FileAt.Status(path, followLinks: false) is not { Kind: FileKind.Directory } folder)
        {
            return false;
        }

        // A file system mounted here has a device of its own; only where that leaves a doubt is the mount table read, which grows with every pod.
        if (Path.GetDirectoryName(path) is { } above && FileAt.Status(above, followLinks: true) is { } parent && parent.Device == folder.Device)
        {
            return false;
        }

        return FileAt.FileSystem(path).Type == MagicOf(fileSystem) || List(path).Any(m => m.MountPoint == path && m.FileSystem == fileSystem);
    }

    private static long MagicOf(string fileSystem) => fileSystem switch
    {
        "tmpfs" => 0x01021994,
        "hugetlbfs" => 0x958458F6,
        _ => -1,
    };

    /// <inheritdoc/>
    public IReadOnlyList<MountEntry> List(string below) => MountTable.Read(below);
}
