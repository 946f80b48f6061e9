using System.Security.Cryptography;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// Reads the manifests of a folder (or one file) and remembers what became of each. A file that cannot be used disturbs no other; its
/// last good pod is kept for one period, so that a file being written does not end what runs. Not thread-safe.
/// </summary>
/// <param name="path">staticPodPath.</param>
/// <param name="node">The node's name.</param>
/// <param name="patience">How long the last good pod of a file that turned bad is kept.</param>
/// <param name="time">Clock.</param>
/// <param name="report">Told once of each bad version of a file, and of a folder that cannot be read.</param>
internal sealed class StaticPodFolder(string path, string node, TimeSpan patience, TimeProvider time, Action<string> report)
{
    private readonly Dictionary<string, Manifest> _files = [];
    private string? _problem;

    /// <summary>The pods as the files are now, in the files' order; the same objects as before for what did not change.</summary>
    /// <param name="settled">False just after a change, when a file may be only half written: an empty one is not yet told of then.</param>
    public List<Pod> Read(bool settled)
    {
        string[] files;
        try
        {
            files = [.. List().Order(StringComparer.Ordinal)];
            _problem = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_problem != e.Message)
            {
                report($"static pod folder {path}: {_problem = e.Message}");
            }

            return [.. _files.Values.Select(f => f.Pod).OfType<Pod>()];
        }

        foreach (string gone in _files.Keys.Except(files).ToList())
        {
            _files.Remove(gone);
        }

        return [.. files.Select(f => ReadFile(f, settled)).OfType<Pod>()];
    }

    private IEnumerable<string> List()
    {
        string full = Path.GetFullPath(path);
        return File.Exists(full) ? [full]
            : Directory.Exists(full) ? Directory.GetFiles(full).Where(f => !Path.GetFileName(f).StartsWith('.')) : [];
    }

    private Pod? ReadFile(string file, bool settled)
    {
        Manifest? known = _files.GetValueOrDefault(file);
        byte[]? content = null;
        string? error = null;
        try
        {
            content = Content(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null; // gone between listing and reading
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or StaticPodException)
        {
            error = e.Message;
        }

        string version = content is null ? error! : Convert.ToHexString(SHA256.HashData(content));
        if (known is null || known.Version != version)
        {
            known = Judge(file, version, content, error, known);
            _files[file] = known;
        }

        if (known.Error is not { } problem)
        {
            return known.Pod;
        }

        if (!known.Told && (settled || content is { Length: > 0 }))
        {
            known.Told = true;
            report(problem);
        }

        return time.GetUtcNow() - known.BadSince < patience ? known.Pod : null;
    }

    private Manifest Judge(string file, string version, byte[]? content, string? error, Manifest? known)
    {
        if (content is not null)
        {
            try
            {
                return new Manifest(version, StaticPodDecoder.Complete(StaticPodOrigin.File(file), StaticPodManifest.One(NotEmpty(file, content)), node, time.GetUtcNow()));
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                error = e is StaticPodException ? e.Message : $"static pod of file {file}: {e.Message}";
            }
        }

        return new Manifest(version, known?.Pod) { Error = error, BadSince = known?.Error is null ? time.GetUtcNow() : known.BadSince };
    }

    private static byte[] NotEmpty(string file, byte[] content) => content.Length > 0 ? content : throw new StaticPodException("file " + file, "is empty");

    private static byte[] Content(string file)
    {
        FileStatus status = FileAt.Status(file, followLinks: true) ?? throw new FileNotFoundException();
        if (status.Kind != FileKind.Regular)
        {
            throw new StaticPodException("file " + file, "is not a regular file");
        }

        return status.Size <= StaticPodManifest.LargestContent ? File.ReadAllBytes(file)
            : throw new StaticPodException("file " + file, $"is {status.Size} bytes; at most 10 MiB are read. Make the manifest smaller");
    }

    /// <summary>A file as it was last read.</summary>
    /// <param name="Version">Changes with the content, or with the error where there is none.</param>
    /// <param name="Pod">The pod of the newest good version.</param>
    private sealed record Manifest(string Version, Pod? Pod)
    {
        public string? Error { get; init; }
        public DateTimeOffset BadSince { get; init; }
        public bool Told { get; set; }
    }
}
