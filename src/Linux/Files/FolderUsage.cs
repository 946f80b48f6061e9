using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Linux.Files;

/// <summary>What a folder and all below it take on its file system.</summary>
/// <param name="Bytes">Bytes allocated, not lengths: holes cost nothing.</param>
/// <param name="Inodes">Files, folders and links; one with several names counts once.</param>
public readonly record struct FolderUsage(long Bytes, long Inodes)
{
    private const int DeepestFolder = 4096;
    private const uint BasicStats = 0x7FF;
    private const int BlockSize = 512;

    /// <summary>Walks through it without following links or leaving its mount; what vanishes meanwhile does not count. Blocking.</summary>
    /// <param name="path">The folder; one that does not exist takes nothing.</param>
    /// <param name="cancellationToken">Looked at in every folder.</param>
    /// <exception cref="LinuxException">The folder cannot be read.</exception>
    public static FolderUsage Of(string path, CancellationToken cancellationToken)
    {
        SafeFileHandle root;
        try
        {
            root = FileAt.OpenDirectory(path);
        }
        catch (LinuxException missing) when (missing.Errno is Errno.ENOENT)
        {
            return default;
        }

        var walk = new Walk();
        Stack<(SafeFileHandle Folder, Queue<byte[]> Left)> open = new();
        walk.Enter(root, open);
        try
        {
            while (open.TryPeek(out (SafeFileHandle Folder, Queue<byte[]> Left) at))
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (at.Left.TryDequeue(out byte[]? name))
                {
                    walk.Visit(at.Folder, name, open);
                }
                else
                {
                    open.Pop().Folder.Dispose();
                }
            }
        }
        finally
        {
            foreach ((SafeFileHandle folder, _) in open)
            {
                folder.Dispose();
            }
        }

        return new FolderUsage(walk.Bytes, walk.Inodes);
    }

    private sealed class Walk
    {
        private readonly HashSet<ulong> _named = [];

        public long Bytes { get; private set; }

        public long Inodes { get; private set; }

        public void Enter(SafeFileHandle folder, Stack<(SafeFileHandle Folder, Queue<byte[]> Left)> open)
        {
            open.Push((folder, new Queue<byte[]>(FileAt.List(folder, int.MaxValue))));
            if (TryStat(folder, "\0"u8, Libc.AT_EMPTY_PATH, out StatxBuffer status))
            {
                Count(status);
            }
        }

        public void Visit(SafeFileHandle folder, byte[] name, Stack<(SafeFileHandle Folder, Queue<byte[]> Left)> open)
        {
            if (!TryStat(folder, name, Libc.AT_SYMLINK_NOFOLLOW, out StatxBuffer status))
            {
                return;
            }

            if ((status.Mode & 0xF000) != 0x4000)
            {
                Count(status);
            }
            else if (open.Count < DeepestFolder
                && FileAt.TryOpen(folder, name, OpenFlags.Directory | OpenFlags.NoFollow, ResolveFlags.NoCrossing | ResolveFlags.NoSymlinks, 0, out _) is { } inside)
            {
                Enter(inside, open);
            }
        }

        private void Count(in StatxBuffer status)
        {
            if (status.Links > 1 && (status.Mode & 0xF000) != 0x4000 && !_named.Add(status.Inode))
            {
                return;
            }

            Bytes += (long)status.Blocks * BlockSize;
            Inodes++;
        }

        private static unsafe bool TryStat(SafeFileHandle folder, ReadOnlySpan<byte> name, int flags, out StatxBuffer status)
        {
            StatxBuffer buffer;
            bool held = false;
            try
            {
                folder.DangerousAddRef(ref held);
                fixed (byte* bytes = name)
                {
                    bool ok = Libc.statx((int)folder.DangerousGetHandle(), bytes, flags, BasicStats, &buffer) == 0;
                    status = ok ? buffer : default;
                    return ok;
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
    }
}
