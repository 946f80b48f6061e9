using System.Runtime.InteropServices;

namespace NodeAgent.Linux.Syscalls;

/// <summary>A system call failed. The message names the call, the object and the kernel's reason.</summary>
public sealed class LinuxException : IOException
{
    /// <summary>Creates the exception for a call that left its reason in errno.</summary>
    /// <param name="call">The system call, e.g. "mount".</param>
    /// <param name="target">What it was about: a path as a person would write it.</param>
    /// <param name="errno">The kernel's error number.</param>
    public LinuxException(string call, string target, int errno)
        : base($"{call} {target}: {Marshal.GetPInvokeErrorMessage(errno)}")
    {
        Call = call;
        Errno = errno;
    }

    /// <summary>The system call.</summary>
    public string Call { get; }

    /// <summary>The kernel's error number; see <see cref="Syscalls.Errno"/>.</summary>
    public int Errno { get; }
}

/// <summary>Linux error numbers (identical on amd64 and arm64). Source: asm-generic/errno-base.h, errno.h.</summary>
public static class Errno
{
    /// <summary>Operation not permitted.</summary>
    public const int EPERM = 1;
    /// <summary>No such file or directory.</summary>
    public const int ENOENT = 2;
    /// <summary>Interrupted system call.</summary>
    public const int EINTR = 4;
    /// <summary>Input/output error.</summary>
    public const int EIO = 5;
    /// <summary>Try again.</summary>
    public const int EAGAIN = 11;
    /// <summary>Permission denied.</summary>
    public const int EACCES = 13;
    /// <summary>Device or resource busy.</summary>
    public const int EBUSY = 16;
    /// <summary>File exists.</summary>
    public const int EEXIST = 17;
    /// <summary>Cross-device link; openat2: the path leaves the mount or the root.</summary>
    public const int EXDEV = 18;
    /// <summary>Not a directory.</summary>
    public const int ENOTDIR = 20;
    /// <summary>Is a directory.</summary>
    public const int EISDIR = 21;
    /// <summary>Invalid argument; umount: not a mount point.</summary>
    public const int EINVAL = 22;
    /// <summary>No such process; for IPVS: no such virtual server.</summary>
    public const int ESRCH = 3;
    /// <summary>No such device.</summary>
    public const int ENODEV = 19;
    /// <summary>Address not available.</summary>
    public const int EADDRNOTAVAIL = 99;
    /// <summary>No space left on device.</summary>
    public const int ENOSPC = 28;
    /// <summary>Read-only file system.</summary>
    public const int EROFS = 30;
    /// <summary>File name too long.</summary>
    public const int ENAMETOOLONG = 36;
    /// <summary>Function not implemented.</summary>
    public const int ENOSYS = 38;
    /// <summary>Directory not empty.</summary>
    public const int ENOTEMPTY = 39;
    /// <summary>Too many symbolic links; openat2: a symbolic link where none is allowed.</summary>
    public const int ELOOP = 40;
    /// <summary>Interrupted by another change: to be tried again.</summary>
    public const int ERESTART = 85;
    /// <summary>Operation not supported.</summary>
    public const int EOPNOTSUPP = 95;
    /// <summary>No buffer space: messages were lost.</summary>
    public const int ENOBUFS = 105;
    /// <summary>Stale file handle.</summary>
    public const int ESTALE = 116;
}
