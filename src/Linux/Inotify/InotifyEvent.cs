namespace NodeAgent.Linux.Inotify;

/// <summary>Kinds of inotify events; values as in linux/inotify.h.</summary>
[Flags]
public enum InotifyEvents : uint
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>A file was written.</summary>
    Modify = 0x2,
    /// <summary>A file open for writing was closed.</summary>
    CloseWrite = 0x8,
    /// <summary>A name was moved out of the folder.</summary>
    MovedFrom = 0x40,
    /// <summary>A name was moved into the folder.</summary>
    MovedTo = 0x80,
    /// <summary>A name was created in the folder.</summary>
    Create = 0x100,
    /// <summary>A name was deleted from the folder.</summary>
    Delete = 0x200,
    /// <summary>The watched thing itself was deleted.</summary>
    DeleteSelf = 0x400,
    /// <summary>The watched thing itself was moved.</summary>
    MoveSelf = 0x800,
    /// <summary>The kernel's queue overflowed: events were lost, look again.</summary>
    Overflow = 0x4000,
    /// <summary>The watch is gone.</summary>
    Ignored = 0x8000,
}

/// <summary>Something happened to a watched path.</summary>
/// <param name="Events">What.</param>
/// <param name="Name">The entry's name inside a watched folder; empty for the watched thing itself.</param>
public readonly record struct InotifyEvent(InotifyEvents Events, string Name);
