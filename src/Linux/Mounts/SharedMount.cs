using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Mounts;

/// <summary>Folders whose mounts reach other mount namespaces and come from them. Blocking: use through <see cref="BlockingWork"/>.</summary>
public static class SharedMount
{
    private const nuint MS_BIND = 0x1000, MS_REC = 0x4000, MS_SHARED = 0x100000;

    private const string MountIdField = "mnt_id:";

    /// <summary>
    /// Leaves a folder alone that is on a shared mount; binds any other one on itself, with what is mounted below it, and makes that shared.
    /// Source: DoMakeRShared in pkg/volume/util/hostutil, which binds without what is below.
    /// </summary>
    /// <param name="folder">An absolute path; symbolic links are followed.</param>
    /// <returns>Whether a mount had to be made.</returns>
    /// <exception cref="LinuxException">The folder is absent or the kernel refuses, as without CAP_SYS_ADMIN.</exception>
    public static bool Ensure(string folder)
    {
        if (IsShared(folder))
        {
            return false;
        }

        Mount("bind mount", folder, MS_BIND | MS_REC);
        Mount("make rshared", folder, MS_SHARED | MS_REC);
        return true;
    }

    /// <summary>Whether the mount that a folder is on is shared.</summary>
    /// <exception cref="LinuxException">The folder is absent.</exception>
    public static bool IsShared(string folder)
    {
        // By the mount's id: the longest mount point in front of the path would be another mount where a link lies between.
        using SafeFileHandle opened = FileAt.OpenDirectory(folder, OpenFlags.Path);
        string id = File.ReadLines($"/proc/thread-self/fdinfo/{opened.DangerousGetHandle()}").First(line => line.StartsWith(MountIdField, StringComparison.Ordinal));
        int mount = int.Parse(id.AsSpan(MountIdField.Length), CultureInfo.InvariantCulture);
        return MountTable.Read().Any(m => m.Id == mount && m.IsShared);
    }

    private static void Mount(string operation, string folder, nuint flags)
    {
        if (Libc.mount(folder, folder, null, flags, null) != 0)
        {
            throw new LinuxException(operation, folder, Marshal.GetLastPInvokeError());
        }
    }
}
