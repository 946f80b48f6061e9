namespace NodeAgent.Linux.Files;

/// <summary>What an inode is.</summary>
public enum FileKind
{
    /// <summary>None of the others.</summary>
    Other,
    /// <summary>A regular file.</summary>
    Regular,
    /// <summary>A directory.</summary>
    Directory,
    /// <summary>A symbolic link.</summary>
    SymbolicLink,
    /// <summary>A character device.</summary>
    CharacterDevice,
    /// <summary>A block device.</summary>
    BlockDevice,
    /// <summary>A socket.</summary>
    Socket,
    /// <summary>A named pipe.</summary>
    Fifo,
}

/// <summary>What statx says of a file.</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Mode">Permission bits with setuid, setgid and sticky (octal 07777).</param>
/// <param name="Uid">Owner.</param>
/// <param name="Gid">Group.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Device">Device number of the file system, major in the upper half.</param>
/// <param name="Inode">Inode number.</param>
/// <param name="IsMountRoot">True for the root of a mount (Linux 5.8 and later; false where the kernel does not tell).</param>
public readonly record struct FileStatus(
    FileKind Kind, int Mode, uint Uid, uint Gid, long Size, ulong Device, ulong Inode, bool IsMountRoot)
{
    /// <summary>True where both are the same inode.</summary>
    public bool IsSameFile(FileStatus other) => Device == other.Device && Inode == other.Inode;
}

/// <summary>Size and use of a file system.</summary>
/// <param name="Type">The magic number of its type.</param>
/// <param name="TotalBytes">Capacity.</param>
/// <param name="FreeBytes">Free, the part kept for root included.</param>
/// <param name="AvailableBytes">Free for users.</param>
/// <param name="Inodes">Inodes in total; 0 where the file system has no fixed number.</param>
/// <param name="FreeInodes">Free inodes.</param>
public readonly record struct FileSystemStatus(
    long Type, ulong TotalBytes, ulong FreeBytes, ulong AvailableBytes, ulong Inodes, ulong FreeInodes);
