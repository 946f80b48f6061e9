using System.IO.Compression;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Inotify;

namespace NodeAgent.Kubelet.Logs;

/// <summary>
/// One file of a log that is rotated while it is read, open, and the way to the file after it: a reader that falls behind by whole rotations
/// reads those files too, plain or compressed, as long as they are kept.
/// </summary>
internal sealed class LogSegment : IDisposable
{
    private readonly string _path;
    private readonly string _before;
    private readonly IDisposable _owner;

    private LogSegment(string path, string before, SafeFileHandle file, IDisposable? owner = null) => (_path, _before, File, _owner) = (path, before, file, owner ?? file);

    /// <summary>The file; it stays what it is when it is renamed, compressed or removed.</summary>
    public SafeFileHandle File { get; }

    /// <summary>Opens what is being written now.</summary>
    /// <param name="path">The live log.</param>
    /// <exception cref="IOException">There is none, or it cannot be read.</exception>
    public static LogSegment OpenLive(string path)
    {
        SafeFileHandle file = Open(path);
        // A rotation between the two calls gives the open file itself a rotated name.
        return new LogSegment(path, Rotated(path).LastOrDefault(name => !Is(file, FullName(path, name))) ?? "", file);
    }

    /// <summary>
    /// The file after this one, from its beginning; null while there is none, or while the runtime may still write to this one, which it does
    /// until the new one has a first line.
    /// </summary>
    /// <param name="read">What was read of this one, bytes; a file that is shorter was truncated and is read from the beginning.</param>
    /// <param name="ended">The container has ended: nobody writes any more.</param>
    public LogSegment? Next(long read, bool ended)
    {
        // The live one is opened before the list is read: if it is rotated in between, the list has it.
        SafeFileHandle? live = TryOpen(_path);
        LogSegment? next = null;
        try
        {
            return next = live is not null && FileIdentity.Of(live) == FileIdentity.Of(File) && RandomAccess.GetLength(live) >= read ? null : After(live, ended);
        }
        finally
        {
            if (next is null || next.File != live)
            {
                live?.Dispose();
            }
        }
    }

    private LogSegment? After(SafeFileHandle? live, bool ended)
    {
        // The first of them is this file, found by what it is while it is not compressed.
        string[] after = [.. Rotated(_path).Where(name => string.CompareOrdinal(name, _before) > 0)];
        for (int i = 1 + Math.Max(0, Array.FindIndex(after, name => Is(File, FullName(_path, name)))); i < after.Length; i++)
        {
            if (TryOpen(FullName(_path, after[i])) is { } plain)
            {
                return new LogSegment(_path, after[i - 1], plain);
            }

            if (TryDecompress(after[i]) is { } content)
            {
                return new LogSegment(_path, after[i - 1], content.SafeFileHandle, content);
            }
        }

        return live is null || (!ended && RandomAccess.GetLength(live) == 0) ? null : new LogSegment(_path, after.LastOrDefault() ?? _before, live);
    }

    /// <inheritdoc/>
    public void Dispose() => _owner.Dispose();

    // Without the suffix of compressed ones, oldest first.
    private static IEnumerable<string> Rotated(string path) => LogFiles.RotatedOf(path).Where(name => !name.EndsWith(LogRotationPlan.TemporarySuffix, StringComparison.Ordinal))
        .Select(name => name.EndsWith(LogRotationPlan.CompressedSuffix, StringComparison.Ordinal) ? name[..^LogRotationPlan.CompressedSuffix.Length] : name)
        .Distinct().Order(StringComparer.Ordinal);

    private static string FullName(string path, string name) => Path.Combine(Path.GetDirectoryName(path) ?? "/", name);

    private static bool Is(SafeFileHandle file, string path)
    {
        using SafeFileHandle? other = TryOpen(path);
        return other is not null && FileIdentity.Of(file) == FileIdentity.Of(other);
    }

    // A file without a name, for as long as it is read, and nobody else's to open before. Its name of a moment is one that the next rotation clears away.
    private FileStream? TryDecompress(string name)
    {
        string plain = FullName(_path, name), temporary = $"{plain}.{Guid.NewGuid():N}{LogRotationPlan.TemporarySuffix}";
        using SafeFileHandle? compressed = TryOpen(plain + LogRotationPlan.CompressedSuffix);
        if (compressed is null)
        {
            return null;
        }

        FileStream content = new(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = 0, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        try
        {
            System.IO.File.Delete(temporary);
            using FileStream from = new(compressed, FileAccess.Read, bufferSize: 0);
            using GZipStream unzip = new(from, CompressionMode.Decompress);
            unzip.CopyTo(content);
            return content;
        }
        catch
        {
            content.Dispose();
            throw;
        }
    }

    private static SafeFileHandle Open(string path) => System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    private static SafeFileHandle? TryOpen(string path)
    {
        try
        {
            return Open(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
