using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Files;

/// <summary>Gives a tree to a group, as fsGroup asks. Stays on one mount, follows no link.</summary>
public static class GroupOwnership
{
    private const int MaximumDepth = 512;
    private const int SetGid = 0x400;       // 02000
    private const int ReadWrite = 0x1B0;    // 0660
    private const int Read = 0x120;         // 0440
    private const int Enter = 0x48;         // 0110

    /// <summary>The mode a file gets. Pure. Source: pkg/volume/volume_linux.go.</summary>
    public static int ModeFor(FileKind kind, int mode, bool readOnly)
    {
        int mask = readOnly ? Read : ReadWrite;
        return mode | (kind == FileKind.Directory ? mask | SetGid | Enter : mask);
    }

    /// <summary>True where the root of the tree is not yet as <see cref="Apply"/> leaves it: what OnRootMismatch asks.</summary>
    public static bool RootDiffers(FileStatus root, uint gid, bool readOnly)
        => root.Kind != FileKind.Directory || root.Gid != gid || ModeFor(FileKind.Directory, root.Mode, readOnly) != root.Mode;

    /// <summary>Changes group and mode of all below a folder, then of the folder; folders that are mount points are left alone.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="gid">The group.</param>
    /// <param name="readOnly">Group read only.</param>
    /// <param name="progress">Called with the number of files done so far, every now and then.</param>
    public static void Apply(string path, uint gid, bool readOnly, Action<long>? progress = null)
    {
        using SafeFileHandle root = FileAt.OpenDirectory(path);
        long done = 0;
        Descend(root, path, 0);

        void Descend(SafeFileHandle folder, string shown, int depth)
        {
            if (depth > MaximumDepth)
            {
                throw new IOException($"{shown}: folders are nested deeper than {MaximumDepth}; fsGroup is not applied below");
            }

            foreach (byte[] name in FileAt.List(folder, int.MaxValue))
            {
                string at = shown + "/" + Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1));
                using SafeFileHandle? entry = FileAt.TryOpen(
                    folder, name, OpenFlags.Path | OpenFlags.NoFollow, ResolveFlags.Beneath | ResolveFlags.NoCrossing, 0, out int errno);
                if (entry is null)
                {
                    if (errno is Errno.ENOENT or Errno.EXDEV)
                    {
                        continue;
                    }

                    throw new LinuxException("openat2", at, errno);
                }

                FileStatus status = FileAt.Status(entry);
                if (status.Kind == FileKind.Directory)
                {
                    using SafeFileHandle inner = FileAt.Open(entry, ".", OpenFlags.Directory, ResolveFlags.Beneath);
                    Descend(inner, at, depth + 1);
                }
                else
                {
                    Change(entry, status);
                }
            }

            Change(folder, FileAt.Status(folder));
        }

        void Change(SafeFileHandle file, FileStatus status)
        {
            if (status.Gid != gid)
            {
                FileAt.SetOwner(file, null, gid);
            }

            // chown clears setgid of files, so the mode is compared with what was there before and set after.
            int mode = ModeFor(status.Kind, status.Mode, readOnly);
            if (status.Kind != FileKind.SymbolicLink && (mode != status.Mode || status.Gid != gid))
            {
                FileAt.SetMode(file, mode);
            }

            if (++done % 1000 == 0)
            {
                progress?.Invoke(done);
            }
        }
    }
}
