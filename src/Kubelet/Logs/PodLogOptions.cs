using System.Globalization;

namespace NodeAgent.Kubelet.Logs;

/// <summary>What of a container's log is asked for (v1.PodLogOptions).</summary>
public sealed record PodLogOptions
{
    /// <summary>Go on until the container ends.</summary>
    public bool Follow { get; init; }
    /// <summary>The instance before the current one.</summary>
    public bool Previous { get; init; }
    /// <summary>Lines of the last seconds only.</summary>
    public long? SinceSeconds { get; init; }
    /// <summary>Lines from this time on only.</summary>
    public DateTimeOffset? SinceTime { get; init; }
    /// <summary>Each line begins with its time.</summary>
    public bool Timestamps { get; init; }
    /// <summary>The last lines only; null = all.</summary>
    public long? TailLines { get; init; }
    /// <summary>At most so many bytes.</summary>
    public long? LimitBytes { get; init; }
    /// <summary>All, Stdout or Stderr.</summary>
    public string Stream { get; init; } = "All";

    /// <summary>When a line must have been written to count; null = any time.</summary>
    public DateTimeOffset? Since(DateTimeOffset now) => SinceTime ?? (SinceSeconds is { } seconds ? now - TimeSpan.FromSeconds(seconds) : null);
}

/// <summary>How reading of the options failed.</summary>
public enum PodLogOptionsError
{
    /// <summary>It did not.</summary>
    None,
    /// <summary>A value is no value of its type: 400.</summary>
    Undecodable,
    /// <summary>A value is out of range or two exclude each other: 422.</summary>
    Invalid,
}

/// <summary>Reads log options from a query. Pure. Sources: pkg/kubelet/server/server.go, ValidatePodLogOptions.</summary>
public static class PodLogQuery
{
    /// <summary>Reads the query's parameters; the first value of each counts.</summary>
    public static PodLogOptionsError TryParse(Func<string, string?> query, out PodLogOptions options)
    {
        options = new PodLogOptions();
        string? tail = query("tail");
        string? tailLines = string.IsNullOrEmpty(tail) ? query("tailLines") : tail == "all" ? null : tail;
        if (!Number(query("sinceSeconds"), out long? seconds) || !Number(tailLines, out long? lines) || !Number(query("limitBytes"), out long? limit)
            || !Boolean(query("follow"), out bool follow) || !Boolean(query("previous"), out bool previous) || !Boolean(query("timestamps"), out bool timestamps)
            || !Boolean(query("insecureSkipTLSVerifyBackend"), out _) || !Time(query("sinceTime"), out DateTimeOffset? since))
        {
            return PodLogOptionsError.Undecodable;
        }

        string stream = query("stream") is { Length: > 0 } named ? named : "All";
        options = new PodLogOptions
        {
            Follow = follow,
            Previous = previous,
            SinceSeconds = seconds,
            SinceTime = since,
            Timestamps = timestamps,
            TailLines = lines,
            LimitBytes = limit,
            Stream = stream,
        };
        bool invalid = lines < 0 || limit < 1 || seconds < 1 || (seconds is not null && since is not null) || stream is not ("All" or "Stdout" or "Stderr")
            || (stream != "All" && lines is not null);
        return invalid ? PodLogOptionsError.Invalid : PodLogOptionsError.None;
    }

    private static bool Number(string? text, out long? value)
    {
        bool ok = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number);
        value = ok ? number : null;
        return ok || string.IsNullOrEmpty(text);
    }

    // Go's conversion of query values: "false" and "0" are false, anything else that is there is true.
    private static bool Boolean(string? text, out bool value)
    {
        value = text is not null && !text.Equals("false", StringComparison.OrdinalIgnoreCase) && text != "0";
        return true;
    }

    private static bool Time(string? text, out DateTimeOffset? value)
    {
        value = null;
        if (string.IsNullOrEmpty(text))
        {
            return true;
        }

        bool ok = CriLogParser.TryTime(System.Text.Encoding.UTF8.GetBytes(text), out DateTimeOffset time);
        value = ok ? time : null;
        return ok;
    }
}
