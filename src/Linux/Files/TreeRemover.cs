using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Files;

/// <summary>Removes folders without ever leaving their mount: mount points (bind mounts too) and symbolic links are not gone through.</summary>
public static unsafe class TreeRemover
{
    // So many folders are open at once; what lies deeper is first moved up to the root of the tree.
    private const int MaximumDepth = 64;
    private const int Batch = 4096;

    /// <summary>Removes a folder and all that is in it; nothing where it does not exist.</summary>
    /// <exception cref="LinuxException">EXDEV or EBUSY: something is mounted in it, named; all else of the tree may be gone by then.</exception>
    public static void Remove(string path)
    {
        string parent = Path.GetDirectoryName(path) ?? throw new ArgumentException("the root folder is not removed", nameof(path));
        string name = Path.GetFileName(path);
        SafeFileHandle folder;
        try
        {
            folder = FileAt.OpenDirectory(parent, OpenFlags.ReadOnly);
        }
        catch (LinuxException missing) when (missing.Errno == Errno.ENOENT)
        {
            return;
        }

        using (folder)
        {
            Remove(folder, name);
        }
    }

    /// <summary>Removes an entry of an open folder: a file, a link, or a folder with all that is in it.</summary>
    public static void Remove(SafeFileHandle parent, string name)
    {
        byte[] bytes = FileAt.Bytes(name);
        if (TryUnlink(parent, bytes, name))
        {
            return;
        }

        using SafeFileHandle? root = FileAt.TryOpen(parent, bytes, FolderFlags, Inside, 0, out int errno);
        if (root is null)
        {
            throw new LinuxException("remove", MountText(name, errno), errno);
        }

        new Walk(root, name).Run();
        FileAt.Remove(parent, name, directory: true);
    }

    private const OpenFlags FolderFlags = OpenFlags.Directory | OpenFlags.NoFollow | OpenFlags.NonBlocking;
    private const ResolveFlags Inside = ResolveFlags.Beneath | ResolveFlags.NoSymlinks | ResolveFlags.NoCrossing;

    // True where it is gone, false where it is a folder.
    private static bool TryUnlink(SafeFileHandle folder, ReadOnlySpan<byte> name, string shown)
    {
        fixed (byte* path = name)
        {
            if (Libc.unlinkat(folder, path, 0) == 0)
            {
                return true;
            }

            int errno = Marshal.GetLastPInvokeError();
            return errno switch
            {
                Errno.ENOENT => true,
                Errno.EISDIR or Errno.EPERM => false,
                _ => throw new LinuxException("unlink", MountText(shown, errno), errno),
            };
        }
    }

    private static string MountText(string name, int errno) => errno is Errno.EXDEV or Errno.EBUSY ? $"{name} (a mount point; unmount it first)" : name;

    private sealed class Walk(SafeFileHandle root, string name)
    {
        private int _moved;

        public void Run()
        {
            bool again = true;
            while (again)
            {
                // A fresh open starts at the first entry again.
                using SafeFileHandle pass = FileAt.Open(root, ".", OpenFlags.Directory, ResolveFlags.Beneath);
                again = Empty(pass, name, 0);
            }
        }

        // True where something was moved up to the root meanwhile or the list was cut.
        private bool Empty(SafeFileHandle folder, string shown, int depth)
        {
            List<byte[]> names = FileAt.List(folder, Batch);
            bool again = depth == 0 && names.Count >= Batch;
            foreach (byte[] entry in names)
            {
                string path = shown + "/" + Encoding.UTF8.GetString(entry.AsSpan(0, entry.Length - 1));
                if (!TryUnlink(folder, entry, path))
                {
                    again |= RemoveFolder(folder, entry, path, depth);
                }
            }

            // The rest of a cut list: the open folder's position is where the batch ended.
            return names.Count >= Batch && depth > 0 ? Empty(folder, shown, depth) | again : again;
        }

        private bool RemoveFolder(SafeFileHandle folder, byte[] entry, string shown, int depth)
        {
            if (depth >= MaximumDepth)
            {
                MoveUp(folder, entry, shown);
                return true;
            }

            bool again = false;
            using (SafeFileHandle? inner = FileAt.TryOpen(folder, entry, FolderFlags, Inside, 0, out int errno))
            {
                if (inner is null)
                {
                    return errno == Errno.ENOENT ? false : throw new LinuxException("remove", MountText(shown, errno), errno);
                }

                again = Empty(inner, shown, depth + 1);
            }

            fixed (byte* path = entry)
            {
                if (Libc.unlinkat(folder, path, Libc.AT_REMOVEDIR) != 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOENT)
                {
                    throw new LinuxException("rmdir", MountText(shown, errno), errno);
                }
            }

            return again;
        }

        private void MoveUp(SafeFileHandle folder, byte[] entry, string shown)
        {
            byte[] target = FileAt.Bytes(string.Create(CultureInfo.InvariantCulture, $".removing-{++_moved}-{Guid.NewGuid():N}"));
            fixed (byte* from = entry, to = target)
            {
                if (Libc.renameat2(folder, from, root, to, 0) != 0 && Marshal.GetLastPInvokeError() is var errno and not Errno.ENOENT)
                {
                    throw new LinuxException("renameat2", MountText(shown, errno), errno);
                }
            }
        }
    }
}
