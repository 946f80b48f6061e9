using System.Globalization;
using System.IO.Compression;

namespace NodeAgent.Kubelet.Logs;

/// <summary>The steps of a rotation on disk. Each leaves a state that the next rotation goes on from, whenever the process is killed.</summary>
internal static class LogFiles
{
    private const int Chunk = 128 * 1024;

    /// <summary>Length of a log; null where there is none. A link is not a runtime's own log and counts as small.</summary>
    /// <exception cref="IOException">The disk does not give it.</exception>
    public static long? LengthOf(string path)
    {
        var file = new FileInfo(path);
        return file.LinkTarget is not null ? 0 : file.Exists ? file.Length : null;
    }

    /// <summary>Names of files that earlier rotations of this log left.</summary>
    public static IReadOnlyList<string> RotatedOf(string path)
    {
        string prefix = Path.GetFileName(path) + ".";
        return [.. Directory.EnumerateFiles(FolderOf(path)).Select(f => Path.GetFileName(f)!).Where(n => n.StartsWith(prefix, StringComparison.Ordinal))];
    }

    /// <summary>Removes files beside a log.</summary>
    public static void Remove(string path, IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            File.Delete(Path.Combine(FolderOf(path), name));
        }
    }

    /// <summary>Replaces a file beside a log by its compressed form, which is whole on disk before it has its name.</summary>
    public static void Compress(string path, string name, CancellationToken cancellationToken)
    {
        string plain = Path.Combine(FolderOf(path), name), temporary = plain + LogRotationPlan.TemporarySuffix;
        try
        {
            using (FileStream from = new(plain, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0))
            using (FileStream to = new(temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = File.GetUnixFileMode(plain) }))
            {
                using (GZipStream zip = new(to, CompressionLevel.Optimal, leaveOpen: true))
                {
                    Copy(from, zip, cancellationToken);
                }

                to.Flush(flushToDisk: true);
            }

            File.Move(temporary, plain + LogRotationPlan.CompressedSuffix, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }

        File.Delete(plain);
    }

    /// <summary>Gives the live log its rotated name; the runtime goes on writing into it until told to open a new one.</summary>
    /// <returns>The new path.</returns>
    /// <exception cref="IOException">E.g. another rotation of this very second has that name.</exception>
    public static string MoveAside(string path, DateTimeOffset local)
    {
        string rotated = path + "." + local.ToString(LogRotationPlan.TimeFormat, CultureInfo.InvariantCulture);
        if (File.Exists(rotated + LogRotationPlan.CompressedSuffix))
        {
            // Beside it this one would count as compressed already.
            throw new IOException($"{rotated}: a log was rotated in this very second already");
        }

        File.Move(path, rotated, overwrite: false);
        return rotated;
    }

    /// <summary>Undoes <see cref="MoveAside"/>, unless the runtime made a new log although it answered with an error.</summary>
    public static void MoveBack(string rotated, string path)
    {
        if (!File.Exists(path))
        {
            File.Move(rotated, path, overwrite: false);
        }
    }

    private static string FolderOf(string path) => Path.GetDirectoryName(path) ?? "/";

    private static void Copy(FileStream from, GZipStream to, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[Chunk];
        while (from.Read(buffer) is > 0 and var read)
        {
            cancellationToken.ThrowIfCancellationRequested();
            to.Write(buffer.AsSpan(0, read));
        }
    }
}
