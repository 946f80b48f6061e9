using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// Static pods from a folder (or one file). A file system watch says when to look; the whole folder is read again then and
/// every period. A file that cannot be used is reported once for each of its versions and disturbs no other; a file that
/// was good keeps its last good pod only as long as it exists. Source: pkg/kubelet/config/file.go, file_linux.go.
/// </summary>
/// <param name="path">staticPodPath.</param>
/// <param name="node">The node's name.</param>
/// <param name="period">fileCheckFrequency.</param>
/// <param name="parse">Decodes YAML or JSON; throws with line or field on bad input.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Logger.</param>
public sealed partial class StaticFilePodSource(
    string path, string node, TimeSpan period, Func<byte[], Pod> parse, TimeProvider time, ILogger<StaticFilePodSource> logger) : IPodSource
{
    private const int LargestFile = 10 * 1024 * 1024;
    private readonly SemaphoreSlim _changed = new(0);
    private readonly Dictionary<string, (long Stamp, long Length, Pod? Pod, string? Error)> _files = [];
    private string? _problem;

    /// <inheritdoc/>
    public PodSourceKind Kind => PodSourceKind.File;

    /// <inheritdoc/>
    public async Task RunAsync(IPodSourceSink sink, CancellationToken cancellationToken)
    {
        using FileSystemWatcher? watcher = Watch();
        while (!cancellationToken.IsCancellationRequested)
        {
            sink.Replace(PodSourceKind.File, Read());
            using var wake = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task tick = Task.Delay(period, time, wake.Token);
            Task change = _changed.WaitAsync(wake.Token);
            await Task.WhenAny(tick, change);
            await wake.CancelAsync();
            await Task.WhenAll(tick, change).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The pods of the folder as it is now, in the files' order.</summary>
    internal List<Pod> Read()
    {
        var pods = new List<Pod>();
        string[] files;
        try
        {
            files = File.Exists(path) ? [Path.GetFullPath(path)] : Directory.Exists(path) ? Directory.GetFiles(Path.GetFullPath(path)) : [];
            _problem = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_problem != e.Message)
            {
                LogFolder(path, _problem = e.Message);
            }

            return [.. _files.Values.Select(f => f.Pod).OfType<Pod>()];
        }

        Array.Sort(files, StringComparer.Ordinal);
        foreach (string file in files.Where(f => !Path.GetFileName(f).StartsWith('.')))
        {
            if (ReadFile(file) is { } pod)
            {
                pods.Add(pod);
            }
        }

        foreach (string gone in _files.Keys.Except(files).ToList())
        {
            _files.Remove(gone);
        }

        return pods;
    }

    private Pod? ReadFile(string file)
    {
        try
        {
            var info = new FileInfo(file);
            if (_files.TryGetValue(file, out var known) && known.Stamp == info.LastWriteTimeUtc.Ticks && known.Length == info.Length)
            {
                return known.Pod;
            }

            Pod? pod = null;
            string? error = null;
            try
            {
                pod = StaticPodDecoder.Complete(file, parse(ReadBounded(file, info)), node, time.GetUtcNow());
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                error = e is StaticPodException ? e.Message : $"static pod file {file}: {e.Message}";
                LogFile(error);
            }

            _files[file] = (info.LastWriteTimeUtc.Ticks, info.Length, pod, error);
            return pod;
        }
        catch (IOException)
        {
            // Gone between listing and reading: the next look tells.
            return null;
        }
    }

    private static byte[] ReadBounded(string file, FileInfo info)
    {
        if ((info.Attributes & FileAttributes.Device) != 0 || (info.LinkTarget is null && info.UnixFileMode == default && info.Length == 0))
        {
            throw new StaticPodException(file, "is not a regular file");
        }

        if (info.Length > LargestFile)
        {
            throw new StaticPodException(file, $"is {info.Length} bytes; at most 10 MiB are read. Make the manifest smaller");
        }

        byte[] content = File.ReadAllBytes(file);
        return content.Length > 0 ? content : throw new StaticPodException(file, "is empty");
    }

    private FileSystemWatcher? Watch()
    {
        string? folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is null || !Directory.Exists(folder))
        {
            return null;
        }

        try
        {
            var watcher = new FileSystemWatcher(folder);
            void Signal(object sender, EventArgs e) => _changed.Release();
            watcher.Created += Signal;
            watcher.Changed += Signal;
            watcher.Deleted += Signal;
            watcher.Renamed += Signal;
            watcher.Error += Signal;
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (IOException e)
        {
            LogFolder(path, $"no watch, read every {period.TotalSeconds:0} s instead: {e.Message}");
            return null;
        }
    }

    [LoggerMessage(2010, LogLevel.Error, "{Error}")]
    private partial void LogFile(string error);

    [LoggerMessage(2011, LogLevel.Warning, "Static pod folder {Path}: {Error}")]
    private partial void LogFolder(string path, string error);
}
