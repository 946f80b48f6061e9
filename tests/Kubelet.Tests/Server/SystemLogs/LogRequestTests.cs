using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using NodeAgent.Kubelet.Server.SystemLogs;

namespace NodeAgent.Kubelet.Tests.Server.SystemLogs;

/// <summary>What a request for a log says.</summary>
public sealed class LogRequestTests
{
    [Theory]
    [InlineData("bytes=0-3", "0+4")]
    [InlineData("bytes=3-", "3+7")]
    [InlineData("bytes=-3", "7+3")]
    [InlineData("bytes=-30", "0+10")]
    [InlineData("bytes=8-99, 10-11", "8+2")]
    [InlineData("bytes=0-0,,9-9", "0+1 9+1")]
    [InlineData("bytes=-0", "")]
    [InlineData("bytes=9223372036854775807-", "")]
    [InlineData("bytes=3-2", null)]
    [InlineData("bytes=-", null)]
    [InlineData("bytes=--1", null)]
    [InlineData("bytes=+1-2", null)]
    [InlineData("bytes=99999999999999999999-", null)]
    [InlineData("lines=1-2", null)]
    public void Ranges_are_read_as_go_reads_them(string text, string? expected)
    {
        bool read = LogFileAnswer.TryParse(text, 10, out List<ByteRange> ranges);
        Assert.Equal(expected, read ? string.Join(' ', ranges.Select(r => $"{r.Start}+{r.Length}")) : null);
    }

    [Theory]
    [InlineData("If-Match: *", 200)]
    [InlineData("If-Match: \"x\"", 412)]
    [InlineData("If-None-Match: *", 304)]
    [InlineData("If-None-Match: \"x\"|If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT", 200)]
    [InlineData("If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT", 304)]
    [InlineData("If-Modified-Since: Fri, 02 Jan 2026 03:04:04 GMT", 200)]
    [InlineData("If-Modified-Since: tomorrow", 200)]
    [InlineData("If-Unmodified-Since: Fri, 02 Jan 2026 03:04:04 GMT", 412)]
    [InlineData("If-Unmodified-Since: Fri, 02 Jan 2026 03:04:05 GMT", 200)]
    [InlineData("Range: bytes=0-1|If-Range: Fri, 02 Jan 2026 03:04:05 GMT", 206)]
    [InlineData("Range: bytes=0-1|If-Range: Fri, 02 Jan 2026 03:04:04 GMT", 200)]
    [InlineData("Range: bytes=0-1|If-Range: \"x\"", 200)]
    [InlineData("Range: bytes=0-9,0-9", 200)]
    [InlineData("Range: bytes=10-", 416)]
    public void Conditions_are_weighed_in_the_order_of_the_standard(string headers, int status)
    {
        HeaderDictionary given = [];
        foreach (string[] header in headers.Split('|').Select(h => h.Split(": ", 2)))
        {
            given[header[0]] = header[1];
        }

        Assert.Equal(status, LogFileAnswer.To(given, 10, new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero)).StatusCode);
    }

    [Fact]
    public void An_empty_file_is_sent_whole_whatever_part_is_asked_for() =>
        Assert.Equal(StatusCodes.Status200OK, LogFileAnswer.To(new HeaderDictionary { ["Range"] = "bytes=0-100" }, 0, DateTimeOffset.UnixEpoch).StatusCode);

    [Theory]
    [InlineData("", true)]
    [InlineData("?other=1", true)]
    [InlineData("?query=a", false)]
    [InlineData("?boot=0", false)]
    public void Without_any_known_key_there_is_no_query(string query, bool none)
    {
        QueryCollection keys = new(QueryHelpers.ParseQuery(query));
        Assert.Equal(none, NodeLogQuery.Parse(keys, out IReadOnlyList<string> errors) is null);
        Assert.Empty(errors);
    }
}
