namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>Content-Type of a file: by its name, else by how it begins. Pure.</summary>
internal static class LogContentType
{
    /// <summary>How many bytes <see cref="Of"/> looks at.</summary>
    public const int Looked = 512;
    private const string Text = "text/plain; charset=utf-8";
    private const string Binary = "application/octet-stream";

    /// <summary>Finds it. Text that looks like a page is still text: what stands in a log must not run in a browser.</summary>
    public static string Of(string name, ReadOnlySpan<byte> head) => Path.GetExtension(name).ToLowerInvariant() switch
    {
        ".htm" or ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" or ".mjs" => "text/javascript; charset=utf-8",
        ".json" => "application/json",
        ".xml" => "text/xml; charset=utf-8",
        ".pdf" => "application/pdf",
        ".png" => "image/png",
        ".svg" => "image/svg+xml",
        _ when head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]) => "application/x-gzip",
        _ when head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) => "text/plain; charset=utf-16be",
        _ when head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) => "text/plain; charset=utf-16le",
        _ => IsText(head) ? Text : Binary,
    };

    // Control characters that no text has.
    private static bool IsText(ReadOnlySpan<byte> head)
    {
        foreach (byte b in head)
        {
            if (b is <= 0x08 or 0x0B or (>= 0x0E and <= 0x1A) or (>= 0x1C and <= 0x1F))
            {
                return false;
            }
        }

        return true;
    }
}
