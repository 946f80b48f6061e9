using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>Where /logs/ reads.</summary>
/// <param name="Folder">The folder shown: /var/log.</param>
/// <param name="LinkedFolders">Folders outside it that links may lead to: podLogsDir.</param>
/// <param name="Work">Threads for calls that may block.</param>
/// <param name="Time">Clock.</param>
public sealed record SystemLogSources(string Folder, IReadOnlyList<string> LinkedFolders, BlockingWork Work, TimeProvider Time)
{
    /// <summary>The program that reads the journal.</summary>
    public string JournalProgram { get; init; } = "journalctl";
}

/// <summary>A file or folder that was opened to be shown. Owns the handle.</summary>
/// <param name="Handle">Open for reading.</param>
/// <param name="Name">The name it was asked for by.</param>
/// <param name="IsFolder">A folder rather than a regular file.</param>
/// <param name="Size">Bytes when it was opened.</param>
/// <param name="Modified">When it was last written.</param>
internal sealed record OpenedLog(SafeFileHandle Handle, string Name, bool IsFolder, long Size, DateTimeOffset Modified) : IDisposable
{
    public void Dispose() => Handle.Dispose();
}

/// <summary>What keeps a path from being shown.</summary>
internal enum LogPathError
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>There is no such file.</summary>
    NotFound,
    /// <summary>No permission, neither file nor folder, or a link that leads out.</summary>
    Forbidden,
    /// <summary>The disk fails, or the name cannot be one.</summary>
    Failed,
}

/// <summary>
/// Opens what lies below a folder. Links are followed as upstream's file server follows them, but only to where logs are: a pod
/// that writes into /var/log over a hostPath must not show other files of the node by a link. Blocking: through <see cref="BlockingWork"/>.
/// </summary>
/// <param name="sources">Where to read.</param>
internal sealed class SystemLogFolder(SystemLogSources sources)
{
    private const OpenFlags FollowLinks = OpenFlags.ReadOnly;

    /// <summary>A key of <see cref="BlockingWork"/> for one answer.</summary>
    public static string NewKey() => $"system log {Guid.NewGuid():N}";

    /// <summary>Opens a path on a thread that may block.</summary>
    /// <param name="key">The key of the answer.</param>
    /// <param name="path">Cleaned; below the folder, with a leading slash.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>What was opened, or why not.</returns>
    public Task<(OpenedLog? Opened, LogPathError Error)> OpenAsync(string key, string path, CancellationToken cancellationToken) =>
        sources.Work.RunAsync(key, () => (Open(path, out LogPathError error), error), cancellationToken);

    /// <summary>Opens a path.</summary>
    /// <param name="path">Cleaned; below the folder, with a leading slash.</param>
    /// <param name="error">Why the result is null.</param>
    public OpenedLog? Open(string path, out LogPathError error)
    {
        try
        {
            error = LogPathError.None;
            using SafeFileHandle folder = FileAt.OpenDirectory(sources.Folder, FollowLinks);
            // O_PATH first: a named pipe or a device is never really opened.
            using SafeFileHandle found = FileAt.Open(folder, path == "/" ? "." : path[1..], OpenFlags.Path, ResolveFlags.NoMagicLinks);
            FileStatus status = FileAt.Status(found);
            if (status.Kind is not (FileKind.Regular or FileKind.Directory) || !IsInside(folder, found))
            {
                error = LogPathError.Forbidden;
                return null;
            }

            return Reopen(found, Path.GetFileName(path), status);
        }
        catch (LinuxException e)
        {
            error = e.Errno switch
            {
                Errno.ENOENT or Errno.ENOTDIR => LogPathError.NotFound,
                Errno.EACCES or Errno.EPERM => LogPathError.Forbidden,
                _ => LogPathError.Failed,
            };
        }
        catch (UnauthorizedAccessException)
        {
            error = LogPathError.Forbidden;
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            error = e is FileNotFoundException or DirectoryNotFoundException ? LogPathError.NotFound : LogPathError.Failed;
        }

        return null;
    }

    /// <summary>Entries of a folder in the order of their names, folders with a slash behind.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<string> List(OpenedLog folder)
    {
        List<string> names = [.. FileAt.List(folder.Handle)];
        names.Sort(StringComparer.Ordinal);
        return names.ConvertAll(n => FileAt.Status(folder.Handle, n) is { Kind: FileKind.Directory } ? n + "/" : n);
    }

    private static OpenedLog Reopen(SafeFileHandle found, string name, FileStatus status)
    {
        bool isFolder = status.Kind == FileKind.Directory;
        string path = FileAt.ProcPath(found);
        SafeFileHandle handle = isFolder ? FileAt.OpenDirectory(path, FollowLinks)
            : File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return new OpenedLog(handle, name, isFolder, status.Size, new DateTimeOffset(File.GetLastWriteTimeUtc(handle), TimeSpan.Zero));
    }

    private bool IsInside(SafeFileHandle folder, SafeFileHandle found)
    {
        string real = RealPath(found);
        return IsBelow(real, RealPath(folder)) || sources.LinkedFolders.Any(f => RealPathOf(f) is { } linked && IsBelow(real, linked));
    }

    private static string? RealPathOf(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return null;
        }

        using SafeFileHandle handle = FileAt.OpenDirectory(folder, FollowLinks);
        return RealPath(handle);
    }

    // The kernel tells where an open file is, whatever links led to it and whoever changes them meanwhile.
    private static string RealPath(SafeFileHandle file) => new FileInfo(FileAt.ProcPath(file)).LinkTarget ?? throw new IOException("/proc does not show an open file");

    private static bool IsBelow(string path, string folder) =>
        path == folder || folder == "/" || (path.StartsWith(folder, StringComparison.Ordinal) && path[folder.Length] == '/');
}
