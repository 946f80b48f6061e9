using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Linux.Syscalls;

/// <summary>The calls themselves. Paths are UTF-8 with a terminating zero where they are pointers.</summary>
internal static unsafe partial class Libc
{
    internal const int AT_FDCWD = -100;
    internal const int AT_SYMLINK_NOFOLLOW = 0x100;
    internal const int AT_REMOVEDIR = 0x200;
    internal const int AT_EMPTY_PATH = 0x1000;

    // The same number on every architecture since 5.x.
    internal const long SYS_openat2 = 437;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mount(string? source, string target, string? type, nuint flags, string? data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int umount2(string target, int flags);

    internal const ushort AF_INET6 = 10;

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int getifaddrs(Network.IfAddrs** list);

    [LibraryImport("libc")]
    internal static partial void freeifaddrs(Network.IfAddrs* list);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint syscall(long number, nint a, byte* b, void* c, nint d);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int statx(int dirfd, byte* path, int flags, uint mask, StatxBuffer* buffer);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int mkdirat(SafeFileHandle dirfd, byte* path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int unlinkat(SafeFileHandle dirfd, byte* path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int symlinkat(byte* target, SafeFileHandle dirfd, byte* path);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint readlinkat(SafeFileHandle dirfd, byte* path, byte* buffer, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int renameat2(SafeFileHandle oldDir, byte* oldPath, SafeFileHandle newDir, byte* newPath, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fchownat(SafeFileHandle dirfd, byte* path, uint owner, uint group, int flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fchmod(SafeFileHandle fd, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int chmod(string path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fsync(SafeFileHandle fd);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint write(SafeFileHandle fd, byte* buffer, nuint size);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint getdents64(SafeFileHandle fd, byte* buffer, nuint size);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int statfs(string path, StatfsBuffer* buffer);

    [LibraryImport("libc")]
    internal static partial uint geteuid();
}

/// <summary>struct statx: the same on every architecture.</summary>
[StructLayout(LayoutKind.Sequential, Size = 256)]
internal struct StatxBuffer
{
    public uint Mask, BlockSize;
    public ulong Attributes;
    public uint Links, Uid, Gid;
    public ushort Mode;
    private readonly ushort _padding;
    public ulong Inode, Size, Blocks, AttributesMask;
    public long AccessSeconds; public uint AccessNanoseconds; private readonly int _p0;
    public long BirthSeconds; public uint BirthNanoseconds; private readonly int _p1;
    public long ChangeSeconds; public uint ChangeNanoseconds; private readonly int _p2;
    public long ModifySeconds; public uint ModifyNanoseconds; private readonly int _p3;
    public uint DeviceTypeMajor, DeviceTypeMinor, DeviceMajor, DeviceMinor;
    public ulong MountId;
}

/// <summary>struct statfs of 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential, Size = 120)]
internal struct StatfsBuffer
{
    public long Type, BlockSize;
    public ulong Blocks, BlocksFree, BlocksAvailable, Files, FilesFree;
    public long FileSystemId, NameLength, FragmentSize, Flags;
}

/// <summary>struct open_how of openat2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OpenHow
{
    public ulong Flags, Mode, Resolve;
}
