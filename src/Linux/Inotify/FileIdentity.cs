using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Linux.Inotify;

/// <summary>Which file a handle is open on: device and inode.</summary>
/// <param name="Device">Device number.</param>
/// <param name="Inode">Inode number.</param>
public readonly partial record struct FileIdentity(ulong Device, ulong Inode)
{
    private const int EmptyPath = 0x1000;
    private const uint WantInode = 0x100;

    /// <summary>Asks the kernel (statx).</summary>
    public static unsafe FileIdentity Of(SafeFileHandle file)
    {
        byte* data = stackalloc byte[256];
        if (Statx(file, "", EmptyPath, WantInode, data) != 0)
        {
            throw new IOException("statx: " + new Win32Exception(Marshal.GetLastPInvokeError()).Message);
        }

        // struct statx: stx_ino at 32, stx_dev_major at 136, stx_dev_minor at 140.
        return new FileIdentity(((ulong)*(uint*)(data + 136) << 32) | *(uint*)(data + 140), *(ulong*)(data + 32));
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(SafeFileHandle directory, string path, int flags, uint mask, byte* buffer);
}
