using System.Buffers;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;

namespace NodeAgent.Linux.Mounts;

/// <summary>One line of /proc/PID/mountinfo.</summary>
/// <param name="Id">Mount id.</param>
/// <param name="ParentId">Id of the mount it is on.</param>
/// <param name="Device">"major:minor".</param>
/// <param name="Root">The folder of the file system that is the root of this mount.</param>
/// <param name="MountPoint">Absolute path.</param>
/// <param name="Options">Per-mount options, e.g. "rw,nosuid".</param>
/// <param name="Propagation">Optional fields, e.g. "shared:5"; empty for a private mount.</param>
/// <param name="FileSystem">Type, e.g. tmpfs.</param>
/// <param name="Source">Device or name.</param>
/// <param name="SuperOptions">Options of the file system.</param>
public sealed record MountEntry(
    int Id, int ParentId, string Device, string Root, string MountPoint, string Options, string Propagation, string FileSystem, string Source, string SuperOptions)
{
    /// <summary>True where mounts below it reach its peers ("shared:").</summary>
    public bool IsShared => Propagation.Split(' ').Any(f => f.StartsWith("shared:", StringComparison.Ordinal));
}

/// <summary>The mounts of this thread's mount namespace, which is the process's unless somebody made the thread one of its own.</summary>
public static class MountTable
{
    private const int FirstLength = 64 * 1024;

    /// <summary>Reads the mounts at a folder or below it, in the order of mounting; null reads all. Never touches the mounts themselves, so it cannot hang on them.</summary>
    public static ImmutableArray<MountEntry> Read(string? below = null)
    {
        // It grows with every pod and is read at every unmount: a large array for each reading would be most of what the collector has to do then.
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstLength);
        try
        {
            int length = ReadWhole("/proc/thread-self/mountinfo", ref buffer);
            return Parse(buffer.AsSpan(0, length), below);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Parses the file's content. A line that does not parse is left out: the kernel may add fields, never take some.</summary>
    /// <param name="content">The bytes of /proc/PID/mountinfo.</param>
    /// <param name="below">Absolute path without a slash at its end, or null.</param>
    public static ImmutableArray<MountEntry> Parse(ReadOnlySpan<byte> content, string? below)
    {
        byte[] prefix = below is null or "/" ? [] : Encoding.UTF8.GetBytes(below);
        var entries = ImmutableArray.CreateBuilder<MountEntry>();
        foreach (Range line in content.Split((byte)'\n'))
        {
            if (TryParse(content[line], prefix) is { } entry)
            {
                entries.Add(entry);
            }
        }

        return entries.ToImmutable();
    }

    // id parent major:minor root mountpoint options [optional...] - type source superoptions
    private static MountEntry? TryParse(ReadOnlySpan<byte> line, ReadOnlySpan<byte> prefix)
    {
        if (!Utf8Parser.TryParse(Next(ref line), out int id, out _) || !Utf8Parser.TryParse(Next(ref line), out int parent, out _))
        {
            return null;
        }

        ReadOnlySpan<byte> device = Next(ref line), root = Next(ref line), rawPoint = Next(ref line);
        ReadOnlySpan<byte> point = rawPoint.Contains((byte)'\\') ? Unescape(rawPoint) : rawPoint;
        if (point.IsEmpty || !IsAtOrBelow(point, prefix))
        {
            return null;
        }

        ReadOnlySpan<byte> options = Next(ref line);
        int dash = line.StartsWith("- "u8) ? 0 : line.IndexOf(" - "u8);
        if (dash < 0)
        {
            return null;
        }

        ReadOnlySpan<byte> optional = line[..dash];
        line = line[(line.StartsWith("- "u8) ? 2 : dash + 3)..];
        return new MountEntry(
            id, parent, Text(device), Text(root), Text(rawPoint), Text(options), Text(optional), Text(Next(ref line)), Text(Next(ref line)), Text(Next(ref line)));
    }

    private static bool IsAtOrBelow(ReadOnlySpan<byte> point, ReadOnlySpan<byte> prefix)
        => prefix.IsEmpty || (point.StartsWith(prefix) && (point.Length == prefix.Length || point[prefix.Length] == (byte)'/'));

    private static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> line)
    {
        int space = line.IndexOf((byte)' ');
        ReadOnlySpan<byte> field = space < 0 ? line : line[..space];
        line = space < 0 ? [] : line[(space + 1)..];
        return field;
    }

    private static string Text(ReadOnlySpan<byte> field) => Encoding.UTF8.GetString(field.Contains((byte)'\\') ? Unescape(field) : field);

    // Space, tab, newline and backslash come as a backslash and three octal digits.
    private static byte[] Unescape(ReadOnlySpan<byte> field)
    {
        byte[] plain = new byte[field.Length];
        int length = 0;
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length && IsOctal(field[i + 1]) && IsOctal(field[i + 2]) && IsOctal(field[i + 3]))
            {
                plain[length++] = (byte)(((field[i + 1] - '0') << 6) | ((field[i + 2] - '0') << 3) | (field[i + 3] - '0'));
                i += 3;
            }
            else
            {
                plain[length++] = field[i];
            }
        }

        return plain[..length];
    }

    private static bool IsOctal(byte b) => b is >= (byte)'0' and <= (byte)'7';

    private static int ReadWhole(string path, ref byte[] buffer)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        int length = 0;
        while (true)
        {
            int read = file.Read(buffer, length, buffer.Length - length);
            if (read == 0)
            {
                return length;
            }

            length += read;
            if (length == buffer.Length)
            {
                byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                buffer.AsSpan(0, length).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
            }
        }
    }
}
