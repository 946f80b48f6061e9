using System.ComponentModel;
using System.Runtime.InteropServices;

namespace NodeAgent.Linux.Procfs;

/// <summary>Space and inodes of a file system.</summary>
/// <param name="Capacity">Bytes in all.</param>
/// <param name="Available">Bytes an unprivileged process may still use.</param>
/// <param name="Inodes">Inodes in all; 0 on file systems that make them as needed.</param>
/// <param name="InodesFree">Free inodes.</param>
public readonly partial record struct FileSystemUsage(long Capacity, long Available, long Inodes, long InodesFree)
{
    /// <summary>Asks the kernel (statvfs). Can block for ever on a dead network mount: never call it on the thread pool.</summary>
    /// <exception cref="IOException">The path does not exist or cannot be asked.</exception>
    public static unsafe FileSystemUsage Of(string path)
    {
        // struct statvfs of 64-bit glibc and musl: eleven words and padding.
        ulong* words = stackalloc ulong[16];
        if (Statvfs(path, words) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            throw new IOException($"statvfs \"{path}\": {new Win32Exception(error).Message}", error);
        }

        long fragment = (long)(words[1] == 0 ? words[0] : words[1]);
        return new FileSystemUsage((long)words[2] * fragment, (long)words[4] * fragment, (long)words[5], (long)words[6]);
    }

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statvfs(string path, ulong* buffer);
}
