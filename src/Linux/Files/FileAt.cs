using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Files;

/// <summary>How <see cref="FileAt.Open(SafeFileHandle, string, OpenFlags, ResolveFlags, int)"/> opens. Values are the kernel's for amd64 but for Directory and NoFollow, which differ on arm64.</summary>
[Flags]
public enum OpenFlags
{
    /// <summary>O_RDONLY.</summary>
    ReadOnly = 0,
    /// <summary>O_WRONLY.</summary>
    WriteOnly = 1,
    /// <summary>O_CREAT.</summary>
    Create = 0x40,
    /// <summary>O_EXCL.</summary>
    Exclusive = 0x80,
    /// <summary>O_TRUNC.</summary>
    Truncate = 0x200,
    /// <summary>O_NONBLOCK: a named pipe or a device does not hold up the open.</summary>
    NonBlocking = 0x800,
    /// <summary>O_DIRECTORY.</summary>
    Directory = 0x10000,
    /// <summary>O_NOFOLLOW.</summary>
    NoFollow = 0x20000,
    /// <summary>O_PATH: names the file without opening it; never blocks on a pipe, a device or a tape.</summary>
    Path = 0x200000,
}

/// <summary>What a path may go through. Source: openat2(2).</summary>
[Flags]
public enum ResolveFlags : ulong
{
    /// <summary>No limit.</summary>
    None = 0,
    /// <summary>No mount point is crossed, bind mounts included.</summary>
    NoCrossing = 0x01,
    /// <summary>No magic link such as /proc/self/fd/N.</summary>
    NoMagicLinks = 0x02,
    /// <summary>No symbolic link at all.</summary>
    NoSymlinks = 0x04,
    /// <summary>The path stays below the folder: absolute links and ".." out of it fail.</summary>
    Beneath = 0x08,
    /// <summary>The folder is the root: absolute links and ".." stay inside.</summary>
    InRoot = 0x10,
}

/// <summary>File operations relative to an open folder, so that nobody can swap what lies between. Blocking: use through <see cref="BlockingWork"/>.</summary>
public static unsafe class FileAt
{
    private const int CloseOnExec = 0x80000;
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    /// <summary>Opens a folder by its absolute path; symbolic links in front of the last element are followed.</summary>
    public static SafeFileHandle OpenDirectory(string path, OpenFlags extra = OpenFlags.NoFollow)
    {
        int fd;
        do
        {
            fd = Libc.open(path, Native(OpenFlags.Directory | extra) | CloseOnExec, 0);
        }
        while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failed("open", path);
    }

    /// <summary>Opens a path below a folder.</summary>
    /// <exception cref="LinuxException">EXDEV or ELOOP: the path leaves what <paramref name="resolve"/> allows; ENOSYS: the kernel is older than 5.6.</exception>
    public static SafeFileHandle Open(SafeFileHandle folder, string path, OpenFlags flags, ResolveFlags resolve, int mode = 0)
        => TryOpen(folder, Bytes(path), flags, resolve, mode, out int errno) ?? throw new LinuxException("openat2", path, errno);

    /// <summary>As <see cref="Open(SafeFileHandle, string, OpenFlags, ResolveFlags, int)"/>; null where the path does not exist.</summary>
    public static SafeFileHandle? OpenIfExists(SafeFileHandle folder, string path, OpenFlags flags, ResolveFlags resolve)
        => TryOpen(folder, Bytes(path), flags, resolve, 0, out int errno)
            ?? (errno == Errno.ENOENT ? null : throw new LinuxException("openat2", path, errno));

    /// <summary>Opens or tells the error number. <paramref name="path"/> ends with a zero byte.</summary>
    internal static SafeFileHandle? TryOpen(
        SafeFileHandle folder, ReadOnlySpan<byte> path, OpenFlags flags, ResolveFlags resolve, int mode, out int errno)
    {
        OpenHow how = new() { Flags = (uint)(Native(flags) | CloseOnExec), Mode = (uint)mode, Resolve = (ulong)resolve };
        bool held = false;
        try
        {
            folder.DangerousAddRef(ref held);
            fixed (byte* name = path)
            {
                // EAGAIN: a rename raced with ".." below the folder; the kernel asks to try again.
                for (int attempt = 0; ; attempt++)
                {
                    nint fd = Libc.syscall(Libc.SYS_openat2, folder.DangerousGetHandle(), name, &how, sizeof(OpenHow));
                    errno = fd >= 0 ? 0 : Marshal.GetLastPInvokeError();
                    if (fd >= 0)
                    {
                        return new SafeFileHandle(fd, ownsHandle: true);
                    }

                    if (errno != Errno.EINTR && (errno != Errno.EAGAIN || attempt > 100))
                    {
                        return null;
                    }
                }
            }
        }
        finally
        {
            if (held)
            {
                folder.DangerousRelease();
            }
        }
    }

    /// <summary>Status of an open file.</summary>
    public static FileStatus Status(SafeFileHandle file) => StatusOf(file, "\0"u8, Libc.AT_EMPTY_PATH, out int errno)
        ?? throw new LinuxException("statx", "an open file", errno);

    /// <summary>Status of an entry of a folder, symbolic links not followed; null where it does not exist.</summary>
    public static FileStatus? Status(SafeFileHandle folder, string name) => StatusOf(folder, Bytes(name), Libc.AT_SYMLINK_NOFOLLOW, out int errno)
        ?? (errno == Errno.ENOENT ? null : throw new LinuxException("statx", name, errno));

    /// <summary>Status by absolute path; null where it does not exist.</summary>
    public static FileStatus? Status(string path, bool followLinks)
    {
        FileStatus? status = StatusOf(null, Bytes(path), followLinks ? 0 : Libc.AT_SYMLINK_NOFOLLOW, out int errno);
        return status ?? (errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new LinuxException("statx", path, errno));
    }

    /// <summary>Makes a folder; false where something has the name already. The process's umask does not count.</summary>
    public static bool MakeDirectory(SafeFileHandle folder, string name, int mode)
    {
        fixed (byte* path = Bytes(name))
        {
            if (Libc.mkdirat(folder, path, (uint)mode & 0x1FF) != 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                return errno == Errno.EEXIST ? false : throw new LinuxException("mkdirat", name, errno);
            }
        }

        if (Status(folder, name)?.Mode != mode)
        {
            using SafeFileHandle made = Open(folder, name, OpenFlags.Directory | OpenFlags.NoFollow, ResolveFlags.Beneath | ResolveFlags.NoSymlinks);
            SetModeOfOpened(made, mode);
        }

        return true;
    }

    /// <summary>Makes a symbolic link; false where something has the name already.</summary>
    public static bool MakeSymbolicLink(SafeFileHandle folder, string name, string target)
    {
        fixed (byte* path = Bytes(name), to = Bytes(target))
        {
            return Libc.symlinkat(to, folder, path) == 0
                || (Marshal.GetLastPInvokeError() == Errno.EEXIST ? false : throw Failed("symlinkat", name));
        }
    }

    /// <summary>The target of a symbolic link; null where the name does not exist or is no link.</summary>
    public static string? ReadSymbolicLink(SafeFileHandle folder, string name)
    {
        byte* buffer = stackalloc byte[4096];
        fixed (byte* path = Bytes(name))
        {
            nint length = Libc.readlinkat(folder, path, buffer, 4096);
            if (length >= 0)
            {
                return Encoding.UTF8.GetString(buffer, (int)length);
            }

            return Marshal.GetLastPInvokeError() is Errno.ENOENT or Errno.EINVAL ? null : throw Failed("readlinkat", name);
        }
    }

    /// <summary>Renames within or between folders of one file system; what has the new name is replaced.</summary>
    public static void Rename(SafeFileHandle from, string oldName, SafeFileHandle to, string newName)
    {
        fixed (byte* source = Bytes(oldName), target = Bytes(newName))
        {
            if (Libc.renameat2(from, source, to, target, 0) != 0)
            {
                throw Failed("renameat2", $"{oldName} to {newName}");
            }
        }
    }

    /// <summary>Removes a file, link or (with <paramref name="directory"/>) an empty folder; false where it does not exist.</summary>
    /// <exception cref="LinuxException">EBUSY: a mount point; ENOTEMPTY.</exception>
    public static bool Remove(SafeFileHandle folder, string name, bool directory)
    {
        fixed (byte* path = Bytes(name))
        {
            return Libc.unlinkat(folder, path, directory ? Libc.AT_REMOVEDIR : 0) == 0
                || (Marshal.GetLastPInvokeError() == Errno.ENOENT ? false : throw Failed(directory ? "rmdir" : "unlink", name));
        }
    }

    /// <summary>Changes owner and group of an open file or (O_PATH) link; null leaves one as it is.</summary>
    public static void SetOwner(SafeFileHandle file, uint? uid, uint? gid)
    {
        fixed (byte* empty = "\0"u8)
        {
            if (Libc.fchownat(file, empty, uid ?? uint.MaxValue, gid ?? uint.MaxValue, Libc.AT_EMPTY_PATH) != 0)
            {
                throw Failed("fchownat", "an open file");
            }
        }
    }

    /// <summary>Changes the permission bits (07777) of an open file, opened with O_PATH or not; must not be a link.</summary>
    public static void SetMode(SafeFileHandle file, int mode)
    {
        if (Libc.chmod(ProcPath(file), (uint)mode & 0xFFF) != 0)
        {
            throw Failed("chmod", "an open file");
        }
    }

    // Not for O_PATH.
    private static void SetModeOfOpened(SafeFileHandle file, int mode)
    {
        if (Libc.fchmod(file, (uint)mode & 0xFFF) != 0)
        {
            throw Failed("fchmod", "an open file");
        }
    }

    /// <summary>Makes a new file below a folder and writes it whole. Mode and owner are set before the content is there.</summary>
    public static void WriteNew(SafeFileHandle folder, string path, ReadOnlySpan<byte> content, int mode, uint? uid, bool flush)
    {
        using SafeFileHandle file = Open(
            folder, path, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, ResolveFlags.Beneath | ResolveFlags.NoSymlinks, 0x180);
        while (!content.IsEmpty)
        {
            fixed (byte* at = content)
            {
                nint written = Libc.write(file, at, (nuint)content.Length);
                if (written < 0 && Marshal.GetLastPInvokeError() != Errno.EINTR)
                {
                    throw Failed("write", path);
                }

                content = content[(int)Math.Max(written, 0)..];
            }
        }

        if (uid is not null)
        {
            SetOwner(file, uid, null);
        }

        SetModeOfOpened(file, mode);
        if (flush)
        {
            Flush(file, path);
        }
    }

    /// <summary>Reads a regular file below a folder, at most <paramref name="limit"/> bytes; null where it does not exist.</summary>
    public static byte[]? Read(SafeFileHandle folder, string path, ResolveFlags resolve, int limit)
    {
        using SafeFileHandle? file = OpenIfExists(folder, path, OpenFlags.ReadOnly | OpenFlags.NonBlocking, resolve);
        if (file is null)
        {
            return null;
        }

        FileStatus status = Status(file);
        if (status.Kind != FileKind.Regular || status.Size > limit)
        {
            throw new IOException($"{path} is no regular file of at most {limit} bytes");
        }

        byte[] content = new byte[status.Size];
        int filled = 0;
        while (filled < content.Length && RandomAccess.Read(file, content.AsSpan(filled), filled) is var read and > 0)
        {
            filled += read;
        }

        return filled == content.Length ? content : content[..filled];
    }

    /// <summary>fsync.</summary>
    public static void Flush(SafeFileHandle file, string name)
    {
        if (Libc.fsync(file) != 0)
        {
            throw Failed("fsync", name);
        }
    }

    /// <summary>Names in a folder as the kernel has them (bytes, not always UTF-8), "." and ".." left out.</summary>
    internal static List<byte[]> List(SafeFileHandle folder, int limit)
    {
        List<byte[]> names = [];
        byte* buffer = stackalloc byte[16 * 1024];
        while (names.Count < limit)
        {
            nint length = Libc.getdents64(folder, buffer, 16 * 1024);
            if (length < 0)
            {
                throw Failed("getdents64", "a folder");
            }

            if (length == 0)
            {
                break;
            }

            for (nint at = 0; at < length; at += *(ushort*)(buffer + at + 16))
            {
                ReadOnlySpan<byte> name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer + at + 19);
                if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                {
                    byte[] copy = new byte[name.Length + 1];
                    name.CopyTo(copy);
                    names.Add(copy);
                }
            }
        }

        return names;
    }

    /// <summary>Names in a folder; names that are not UTF-8 come with replacement characters.</summary>
    public static IReadOnlyList<string> List(SafeFileHandle folder) => List(folder, int.MaxValue).ConvertAll(n => Encoding.UTF8.GetString(n.AsSpan(0, n.Length - 1)));

    /// <summary>A path that reaches an open file whatever its name is by now.</summary>
    public static string ProcPath(SafeFileHandle file) => $"/proc/self/fd/{file.DangerousGetHandle()}";

    /// <summary>statfs: may block for ever on a dead network file system.</summary>
    public static FileSystemStatus FileSystem(string path)
    {
        StatfsBuffer b;
        if (Libc.statfs(path, &b) != 0)
        {
            throw Failed("statfs", path);
        }

        ulong unit = (ulong)(b.FragmentSize > 0 ? b.FragmentSize : b.BlockSize);
        return new FileSystemStatus(b.Type, b.Blocks * unit, b.BlocksFree * unit, b.BlocksAvailable * unit, b.Files, b.FilesFree);
    }

    /// <summary>UTF-8 with a terminating zero. Throws ArgumentException where the text has a zero itself.</summary>
    internal static byte[] Bytes(string path)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("a path cannot hold a zero byte", nameof(path));
        }

        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        return bytes;
    }

    internal static LinuxException Failed(string call, string target) => new(call, target, Marshal.GetLastPInvokeError());

    private static FileStatus? StatusOf(SafeFileHandle? folder, ReadOnlySpan<byte> path, int flags, out int errno)
    {
        const uint BasicStats = 0x7FF;
        const ulong AttributeMountRoot = 0x2000;
        StatxBuffer b;
        bool held = false;
        try
        {
            folder?.DangerousAddRef(ref held);
            fixed (byte* name = path)
            {
                int at = folder is null ? Libc.AT_FDCWD : (int)folder.DangerousGetHandle();
                errno = Libc.statx(at, name, flags, BasicStats, &b) == 0 ? 0 : Marshal.GetLastPInvokeError();
            }
        }
        finally
        {
            if (held)
            {
                folder!.DangerousRelease();
            }
        }

        return errno != 0 ? null : new FileStatus(
            Kind(b.Mode), b.Mode & 0xFFF, b.Uid, b.Gid, (long)b.Size, ((ulong)b.DeviceMajor << 32) | b.DeviceMinor, b.Inode, (b.Attributes & AttributeMountRoot) != 0);
    }

    private static FileKind Kind(ushort mode) => (mode & 0xF000) switch
    {
        0x8000 => FileKind.Regular,
        0x4000 => FileKind.Directory,
        0xA000 => FileKind.SymbolicLink,
        0x2000 => FileKind.CharacterDevice,
        0x6000 => FileKind.BlockDevice,
        0xC000 => FileKind.Socket,
        0x1000 => FileKind.Fifo,
        _ => FileKind.Other,
    };

    private static int Native(OpenFlags flags)
    {
        if (!IsArm)
        {
            return (int)flags;
        }

        int native = (int)(flags & ~(OpenFlags.Directory | OpenFlags.NoFollow));
        native |= (flags & OpenFlags.Directory) != 0 ? 0x4000 : 0;
        return native | ((flags & OpenFlags.NoFollow) != 0 ? 0x8000 : 0);
    }
}
