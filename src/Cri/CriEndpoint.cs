using System.Text;

namespace NodeAgent.Cri;

/// <summary>The Unix socket of a container runtime.</summary>
public sealed record CriEndpoint
{
    private const int LongestPath = 107;

    private CriEndpoint(string path) => Path = path;

    /// <summary>Absolute path of the socket.</summary>
    public string Path { get; }

    /// <summary>Reads "unix:///path" or a bare absolute path.</summary>
    /// <param name="text">The flag's value.</param>
    /// <param name="flag">Flag to name in the error: --container-runtime-endpoint or --image-service-endpoint.</param>
    /// <exception cref="FormatException">Names flag, value and remedy.</exception>
    public static CriEndpoint Parse(string text, string flag = "--container-runtime-endpoint")
    {
        ArgumentNullException.ThrowIfNull(text);
        string path = text.StartsWith("unix://", StringComparison.Ordinal) ? text["unix://".Length..]
            : text.StartsWith("unix:", StringComparison.Ordinal) ? text["unix:".Length..]
            : text;
        if (text.Length == 0) throw Wrong(flag, text, "is empty");
        if (path.Contains("://", StringComparison.Ordinal)) throw Wrong(flag, text, "has a scheme other than unix");
        if (!path.StartsWith('/')) throw Wrong(flag, text, "is not an absolute path");
        if (path.Contains('\0', StringComparison.Ordinal)) throw Wrong(flag, text, "contains a NUL");
        if (Encoding.UTF8.GetByteCount(path) > LongestPath) throw Wrong(flag, text, $"is longer than the {LongestPath} bytes a Unix socket address holds");
        return new CriEndpoint(path);
    }

    /// <summary>"unix:///path".</summary>
    public override string ToString() => "unix://" + Path;

    private static FormatException Wrong(string flag, string text, string what) =>
        new($"{flag}=\"{text}\" {what}; give the runtime's socket, e.g. {flag}=unix:///run/containerd/containerd.sock");
}
