namespace NodeAgent.Kubelet.Volumes;

/// <summary>One file of a volume that is made from API objects.</summary>
/// <param name="Data">Content.</param>
/// <param name="Mode">Permission bits.</param>
/// <param name="Owner">Owner where it is not root.</param>
internal readonly record struct FileProjection(ReadOnlyMemory<byte> Data, int Mode, uint? Owner = null);

/// <summary>The source of a payload cannot be projected; the message is for users.</summary>
internal sealed class PayloadException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Rules for the paths of a payload. Source: pkg/volume/util/atomic_writer.go.</summary>
internal static class PayloadPaths
{
    private const int MaximumPath = 4096;
    private const int MaximumName = 255;

    /// <summary>Checks every path and gives the payload with its paths cleaned ("a//b/./c" is "a/b/c").</summary>
    /// <exception cref="PayloadException">Names the offending path.</exception>
    public static SortedDictionary<string, FileProjection> Clean(IReadOnlyDictionary<string, FileProjection> payload)
    {
        var clean = new SortedDictionary<string, FileProjection>(StringComparer.Ordinal);
        foreach ((string path, FileProjection file) in payload)
        {
            if (Problem(path) is { } problem)
            {
                throw new PayloadException($"invalid path: {problem}");
            }

            string cleaned = string.Join('/', path.Split('/').Where(s => s is not ("" or ".")));
            if (cleaned.Length == 0)
            {
                throw new PayloadException($"invalid path: must name a file: {path}");
            }

            clean[cleaned] = file;
        }

        foreach (string path in clean.Keys)
        {
            for (int slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
            {
                if (clean.ContainsKey(path[..slash]))
                {
                    throw new PayloadException($"invalid path: \"{path[..slash]}\" is to be a file and, for \"{path}\", a folder");
                }
            }
        }

        return clean;
    }

    /// <summary>What is wrong with a path, or null. Keys such as "a..b" and "...", inside a folder, are fine.</summary>
    public static string? Problem(string path)
    {
        if (path.Length == 0)
        {
            return "must not be empty: \"\"";
        }

        if (path[0] == '/')
        {
            return $"must be relative path: {path}";
        }

        if (path.Contains('\0', StringComparison.Ordinal))
        {
            return "must not contain a zero byte";
        }

        if (System.Text.Encoding.UTF8.GetByteCount(path) > MaximumPath)
        {
            return $"must be less than or equal to {MaximumPath} characters";
        }

        string[] segments = path.Split('/');
        foreach (string segment in segments)
        {
            if (segment == "..")
            {
                return $"must not contain '..': {path}";
            }

            if (System.Text.Encoding.UTF8.GetByteCount(segment) > MaximumName)
            {
                return $"filenames must be less than or equal to {MaximumName} characters";
            }
        }

        // "..data" and the timestamped folders are ours.
        return segments[0].StartsWith("..", StringComparison.Ordinal) ? $"must not start with '..': {path}" : null;
    }
}
