using System.Globalization;
using System.Text;

namespace NodeAgent.Kubelet.Logs;

/// <summary>Which stream a log line was written to.</summary>
public enum LogStream
{
    /// <summary>Standard output.</summary>
    Stdout,
    /// <summary>Standard error.</summary>
    Stderr,
}

/// <summary>One line of a CRI log file.</summary>
/// <param name="Time">When it was written; to 100 ns here, <see cref="CriLogParser"/> keeps the text for more.</param>
/// <param name="Stream">Where to.</param>
/// <param name="Partial">True where the line goes on in the next record.</param>
public readonly record struct CriLogRecord(DateTimeOffset Time, LogStream Stream, bool Partial);

/// <summary>
/// Reads "&lt;RFC 3339 nanoseconds&gt; &lt;stdout|stderr&gt; &lt;tags&gt; &lt;content&gt;" over bytes. A line that is none gives false, never an exception.
/// Source: the CRI logging format; cri-client/pkg/logs.
/// </summary>
public static class CriLogParser
{
    private const int LongestTime = 40;

    /// <summary>Reads a line.</summary>
    /// <param name="line">With or without its newline.</param>
    /// <param name="record">What the head says.</param>
    /// <param name="content">The text after the tags; ends with the newline of the line unless partial.</param>
    public static bool TryParse(ReadOnlySpan<byte> line, out CriLogRecord record, out ReadOnlySpan<byte> content)
    {
        record = default;
        content = default;
        int first = line.IndexOf((byte)' ');
        if (first <= 0 || first > LongestTime || !TryTime(line[..first], out DateTimeOffset time))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = line[(first + 1)..];
        int second = rest.IndexOf((byte)' ');
        LogStream stream;
        switch (second < 0 ? default : rest[..second])
        {
            case var s when s.SequenceEqual("stdout"u8): stream = LogStream.Stdout; break;
            case var s when s.SequenceEqual("stderr"u8): stream = LogStream.Stderr; break;
            default: return false;
        }

        rest = rest[(second + 1)..];
        int third = rest.IndexOf((byte)' ');
        if (third <= 0)
        {
            return false;
        }

        int colon = rest[..third].IndexOf((byte)':');
        bool partial = rest[..(colon < 0 ? third : colon)].SequenceEqual("P"u8);
        content = rest[(third + 1)..];
        if (partial && content is [.., (byte)'\n'])
        {
            content = content[..^1];
        }

        record = new CriLogRecord(time, stream, partial);
        return true;
    }

    /// <summary>Reads RFC 3339 with up to nine digits of fraction; digits after the seventh are cut.</summary>
    public static bool TryTime(ReadOnlySpan<byte> text, out DateTimeOffset time)
    {
        Span<char> chars = stackalloc char[LongestTime];
        time = default;
        if (text.Length > LongestTime || text.Length < 20)
        {
            return false;
        }

        Encoding.Latin1.GetChars(text, chars);
        ReadOnlySpan<char> all = chars[..text.Length];
        int dot = all.IndexOf('.');
        int zone = dot < 0 ? 19 : dot + 1 + LengthOfDigits(all[(dot + 1)..]);
        if (dot >= 0 && zone - dot - 1 > 7)
        {
            Span<char> cut = stackalloc char[LongestTime];
            all[..(dot + 8)].CopyTo(cut);
            all[zone..].CopyTo(cut[(dot + 8)..]);
            return DateTimeOffset.TryParse(cut[..(dot + 8 + all.Length - zone)], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out time);
        }

        return DateTimeOffset.TryParse(all, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out time);
    }

    private static int LengthOfDigits(ReadOnlySpan<char> text)
    {
        int other = text.IndexOfAnyExceptInRange('0', '9');
        return other < 0 ? text.Length : other;
    }
}
