namespace NodeAgent.Doctor;

/// <summary>The files of a host below a root, so that checks can look at a made-up host.</summary>
/// <param name="root">The root folder; / for this host.</param>
internal sealed class HostFiles(string root = "/")
{
    private static readonly string[] ProgramFolders = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"];

    internal string At(string path) => Path.Combine(root, path.TrimStart('/'));

    /// <summary>A small file's trimmed text, or null when it is absent or cannot be read.</summary>
    internal string? Text(string path)
    {
        try
        {
            return File.ReadAllText(At(path)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    internal bool Exists(string path) => File.Exists(At(path)) || Directory.Exists(At(path));

    /// <summary>Files directly in a folder; none when it is absent.</summary>
    internal IReadOnlyList<string> FilesIn(string path) =>
        Directory.Exists(At(path)) ? [.. Directory.EnumerateFiles(At(path)).Order(StringComparer.Ordinal)] : [];

    /// <summary>Whether a program lies in one of the usual folders.</summary>
    internal bool HasProgram(string name) =>
        ProgramFolders.Any(folder => Exists($"{folder}/{name}"));
}
