using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Files;

/// <summary>Writes files so that a reader, and a machine that lost power, sees the old content or the new, never a part.</summary>
public static class AtomicFile
{
    /// <summary>Writes beside the target, flushes, renames over it and flushes the folder. The target is never followed where it is a link.</summary>
    /// <param name="path">Absolute path; its folder exists.</param>
    /// <param name="content">All of it.</param>
    /// <param name="mode">Permission bits, e.g. 0600 as 0x180; never wider for an instant.</param>
    /// <exception cref="LinuxException">E.g. ENOSPC; the old content is still there then.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, int mode)
    {
        string parent = Path.GetDirectoryName(path) ?? throw new ArgumentException($"\"{path}\" has no parent folder", nameof(path));
        string name = Path.GetFileName(path);
        string temporary = $".{name}.{Guid.NewGuid():N}";
        using SafeFileHandle folder = FileAt.OpenDirectory(parent, OpenFlags.ReadOnly);
        try
        {
            FileAt.WriteNew(folder, temporary, content, mode, uid: null, flush: true);
            FileAt.Rename(folder, temporary, folder, name);
        }
        catch
        {
            FileAt.Remove(folder, temporary, directory: false);
            throw;
        }

        FileAt.Flush(folder, parent);
    }
}
