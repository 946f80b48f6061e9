using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>A part of a file.</summary>
/// <param name="Start">First byte.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct ByteRange(long Start, long Length)
{
    /// <summary>Text of Content-Range.</summary>
    public string Of(long size) => string.Create(CultureInfo.InvariantCulture, $"bytes {Start}-{Start + Length - 1}/{size}");
}

/// <summary>How a request for a file is answered.</summary>
/// <param name="StatusCode">200, 206, 304, 412 or 416.</param>
/// <param name="Ranges">The parts asked for; empty = the whole file.</param>
/// <param name="Error">Text of 416.</param>
internal sealed record LogFileAnswer(int StatusCode, IReadOnlyList<ByteRange> Ranges, string Error = "")
{
    /// <summary>Decides from the conditions and the range of a GET, in the order of RFC 9110, 13.2.2; there are no entity tags. Pure.</summary>
    /// <param name="headers">The request's.</param>
    /// <param name="size">The file's bytes.</param>
    /// <param name="modified">When it was last written.</param>
    public static LogFileAnswer To(IHeaderDictionary headers, long size, DateTimeOffset modified)
    {
        DateTimeOffset second = Truncated(modified);
        if (headers.IfMatch.ToString() is { Length: > 0 } match ? match.Trim() != "*" : Date(headers.IfUnmodifiedSince) is { } unmodified && second > unmodified)
        {
            return new LogFileAnswer(StatusCodes.Status412PreconditionFailed, []);
        }

        if (headers.IfNoneMatch.ToString() is { Length: > 0 } none ? none.Trim() == "*" : IsNotModified(headers, modified))
        {
            return new LogFileAnswer(StatusCodes.Status304NotModified, []);
        }

        string range = headers.Range.ToString();
        bool stale = headers.IfRange.ToString() is { Length: > 0 } condition && Date(condition) != second;
        return range.Length == 0 || stale ? new LogFileAnswer(StatusCodes.Status200OK, []) : Partial(range, size);
    }

    /// <summary>Whether If-Modified-Since says that the client has it. Pure.</summary>
    public static bool IsNotModified(IHeaderDictionary headers, DateTimeOffset modified) => Date(headers.IfModifiedSince) is { } since && Truncated(modified) <= since;

    /// <summary>Reads a Range header.</summary>
    /// <returns>False: it cannot be read. Ranges may be empty: nothing of the file is meant.</returns>
    internal static bool TryParse(string text, long size, out List<ByteRange> ranges)
    {
        const string Unit = "bytes=";
        ranges = [];
        if (!text.StartsWith(Unit, StringComparison.Ordinal))
        {
            return false;
        }

        foreach (string part in text[Unit.Length..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = part.Split('-', 2, StringSplitOptions.TrimEntries);
            if (ends.Length != 2 || !TryNumber(ends[0], out long? from) || !TryNumber(ends[1], out long? to) || (from is null && to is null) || from > to)
            {
                return false;
            }

            ByteRange range = from is { } start ? new ByteRange(start, Math.Min(to ?? long.MaxValue - 1, size - 1) - start + 1)
                : new ByteRange(size - Math.Min(to!.Value, size), Math.Min(to.Value, size));
            if (range.Length > 0)
            {
                ranges.Add(range);
            }
        }

        return true;
    }

    private static LogFileAnswer Partial(string range, long size)
    {
        if (!TryParse(range, size, out List<ByteRange> ranges))
        {
            return new LogFileAnswer(StatusCodes.Status416RangeNotSatisfiable, [], "invalid range");
        }

        if (ranges.Count == 0 && size > 0)
        {
            return new LogFileAnswer(StatusCodes.Status416RangeNotSatisfiable, [], "invalid range: failed to overlap");
        }

        // Ranges that overlap so much that the whole is shorter are an attack or a mistake.
        bool whole = ranges.Count == 0 || ranges.Aggregate(0m, (sum, r) => sum + r.Length) > size;
        return whole ? new LogFileAnswer(StatusCodes.Status200OK, []) : new LogFileAnswer(StatusCodes.Status206PartialContent, ranges);
    }

    private static bool TryNumber(string text, out long? number)
    {
        number = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
        return number is not null || text.Length == 0;
    }

    private static DateTimeOffset? Date(string? text) => HeaderUtilities.TryParseDate(text, out DateTimeOffset date) ? date : null;

    private static DateTimeOffset Truncated(DateTimeOffset time) => DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());
}
