using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Kubelet.Images;

/// <summary>What the collector asks and tells.</summary>
/// <param name="Space">Space of the file system that holds images; null where it is not known.</param>
/// <param name="Observed">The pods' containers; mounts of theirs can be images too.</param>
/// <param name="Event">Records an event about the node: type, reason, message.</param>
/// <param name="Collected">Counts an image that went: age or space.</param>
public sealed record ImageGarbageNeeds(
    Func<CancellationToken, Task<FileSystemUsage?>> Space, Func<IEnumerable<RuntimePodStatus>> Observed, Action<string, string, string> Event, Action<string> Collected)
{
    /// <summary>Forgets who may use images that are gone; null: nobody keeps records.</summary>
    public ImagePullRecords? PullRecords { get; init; }
}

/// <summary>
/// Removes images that no container has, dead ones included: when the disk fills, when they are unused for too long, or all of them at once
/// for an eviction. Source: pkg/kubelet/images/image_gc_manager.go.
/// </summary>
/// <param name="runtime">Tells what is in use.</param>
/// <param name="images">Lists and removes.</param>
/// <param name="policy">When.</param>
/// <param name="needs">Surroundings.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class ImageGarbageCollector(
    IRuntimeService runtime, IImageService images, ImageGarbagePolicy policy, ImageGarbageNeeds needs, TimeProvider time, ILogger<ImageGarbageCollector> logger) : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(5);
    private readonly long _began = time.GetTimestamp();
    private readonly SemaphoreSlim _one = new(1);
    private ImmutableDictionary<string, ImageUse> _known = ImmutableDictionary<string, ImageUse>.Empty;
    private bool _failedBefore;

    private TimeSpan Now => time.GetElapsedTime(_began);

    /// <summary>A pass at once and then every five minutes, until cancelled. Even where nothing is to be removed the uses are followed, for evictions.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        do
        {
            await PassAsync(cancellationToken);
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    /// <summary>One pass; what fails is told.</summary>
    internal async Task PassAsync(CancellationToken cancellationToken)
    {
        string? failure;
        try
        {
            failure = policy.IsOff ? await ObservedAsync(cancellationToken) : await CollectAsync(cancellationToken);
        }
        catch (CriException e)
        {
            failure = e.Message;
        }

        if (failure is not null)
        {
            LogFailed(failure);
            if (_failedBefore)
            {
                needs.Event("Warning", "ImageGCFailed", failure);
            }
        }

        _failedBefore = failure is not null;
    }

    /// <summary>Removes all images that nobody uses and that are old enough.</summary>
    /// <returns>Null, or what could not be removed and why.</returns>
    /// <exception cref="CriException">The runtime does not tell what there is.</exception>
    public async Task<string?> RemoveUnusedAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            DateTimeOffset listedAt = time.GetUtcNow();
            IReadOnlyList<ImageUse> unused = await UnusedAsync(cancellationToken);
            (_, string? error) = await FreeAsync(unused, long.MaxValue, listedAt, cancellationToken);
            return error;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private async Task<string?> ObservedAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await UnusedAsync(cancellationToken);
            return null;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<string?> CollectAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            DateTimeOffset listedAt = time.GetUtcNow();
            IReadOnlyList<ImageUse> unused = await UnusedAsync(cancellationToken);
            List<string> errors = [];
            foreach (ImageUse old in ImageUses.TooOld(unused, policy, Now, Now))
            {
                if (await RemoveAsync(old, "age", cancellationToken) is { } error)
                {
                    errors.Add(error);
                }
            }

            if (errors.Count > 0)
            {
                return $"images unused for longer than {policy.MaximumAge} could not be removed: {string.Join("; ", errors)}";
            }

            return await FreeSpaceAsync([.. unused.Where(i => _known.ContainsKey(i.Id))], listedAt, cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<string?> FreeSpaceAsync(IReadOnlyList<ImageUse> unused, DateTimeOffset listedAt, CancellationToken cancellationToken)
    {
        if (await needs.Space(cancellationToken) is not { } space)
        {
            return "the runtime does not tell where its images lie, or that file system cannot be asked";
        }

        if (space.Capacity == 0)
        {
            const string invalid = "invalid capacity 0 on image filesystem";
            needs.Event("Warning", "InvalidDiskCapacity", invalid);
            return invalid;
        }

        int used = ImageGarbagePolicy.UsedPercent(space.Capacity, space.Available);
        if (used < policy.HighPercent)
        {
            return null;
        }

        long wanted = policy.ToFree(space.Capacity, space.Available);
        LogOver(used, policy.HighPercent, wanted);
        (long freed, string? error) = await FreeAsync(unused, wanted, listedAt, cancellationToken);
        if (error is not null || freed >= wanted)
        {
            return error;
        }

        string message = $"Insufficient free disk space on the node's image filesystem ({used}% of {Readable(space.Capacity)} used). "
            + $"Failed to free sufficient space by deleting unused images (freed {freed} bytes). "
            + "Investigate disk usage, as it could be used by active images, logs, volumes, or other data.";
        needs.Event("Warning", "FreeDiskSpaceFailed", message);
        return message;
    }

    private async Task<(long Freed, string? Error)> FreeAsync(IReadOnlyList<ImageUse> unused, long wanted, DateTimeOffset listedAt, CancellationToken cancellationToken)
    {
        long freed = 0;
        List<string> errors = [];
        foreach (ImageUse image in ImageUses.OldEnough(unused, policy, Now))
        {
            if (await RemoveAsync(image, "space", cancellationToken) is { } error)
            {
                errors.Add(error);
                continue;
            }

            freed += image.Size;
            if (freed >= wanted)
            {
                break;
            }
        }

        if (errors.Count > 0)
        {
            return (freed, $"wanted to free {wanted} bytes, but freed {freed} bytes; images that cannot be removed: {string.Join("; ", errors)}");
        }

        Prune(listedAt);
        return (freed, null);
    }

    private async Task<string?> RemoveAsync(ImageUse image, string reason, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await images.RemoveImageAsync(new RemoveImageRequest { Image = new ImageSpec { Image = image.Id } }, CancellationToken.None);
        }
        catch (CriException e)
        {
            return $"{image.Id}: {e.Message}";
        }

        LogRemoved(image.Id, image.Size, reason);
        _known = _known.Remove(image.Id);
        needs.Collected(reason);
        return null;
    }

    // Upstream forgets those in use too, whose pods then have to prove by a pull what was proven before.
    private void Prune(DateTimeOffset listedAt)
    {
        try
        {
            needs.PullRecords?.Prune([.. _known.Keys], listedAt);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogRecords(e.Message);
        }
    }

    private async Task<IReadOnlyList<ImageUse>> UnusedAsync(CancellationToken cancellationToken)
    {
        // Images first: what a container is made from while this runs is then seen as used or not seen at all.
        ListImagesResponse present = await images.ListImagesAsync(new ListImagesRequest(), cancellationToken);
        ListContainersResponse containers = await runtime.ListContainersAsync(new ListContainersRequest(), cancellationToken);
        HashSet<string> references =
        [
            .. containers.Containers.SelectMany(c => new[] { c.ImageId, c.ImageRef, c.Image?.Image ?? "" }),
            .. needs.Observed().SelectMany(p => p.Containers).SelectMany(c => c.Mounts).Select(m => m.Image?.Image ?? ""),
        ];
        references.Remove("");
        _known = ImageUses.Observe(_known, present.Images, references, Now);
        IReadOnlyList<ImageUse> unused = ImageUses.Unused(_known.Values);
        return unused.Count == 0 || await SandboxImageAsync(cancellationToken) is not { } sandbox ? unused
            : [.. unused.Where(u => !IsNamed(present.Images.First(i => i.Id == u.Id), sandbox))];
    }

    private static bool IsNamed(Image image, string name) => image.Id == name || image.RepoTags.Contains(name) || image.RepoDigests.Contains(name);

    // containerd pins the image of its sandboxes from 1.7 on; before that only its configuration names it.
    private async Task<string?> SandboxImageAsync(CancellationToken cancellationToken)
    {
        StatusResponse status = await runtime.StatusAsync(new StatusRequest { Verbose = true }, cancellationToken);
        try
        {
            if (status.Info.TryGetValue("config", out string? config))
            {
                using JsonDocument json = JsonDocument.Parse(config);
                return json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("sandboxImage", out JsonElement name)
                    && name.ValueKind == JsonValueKind.String ? name.GetString() : null;
            }
        }
        catch (JsonException)
        {
            // Another runtime's own notes.
        }

        return null;
    }

    /// <summary>As upstream writes sizes in that event.</summary>
    internal static string Readable(long bytes)
    {
        string[] units = ["KiB", "MiB", "GiB", "TiB"];
        double size = bytes / 1024.0;
        int unit = 0;
        for (; size >= 1024 && unit < units.Length - 1; unit++)
        {
            size /= 1024;
        }

        return bytes < 1024 ? $"{bytes} B" : string.Create(CultureInfo.InvariantCulture, $"{size:0.0} {units[unit]}");
    }

    [LoggerMessage(2661, LogLevel.Warning, "Images cannot be collected, the next try is in five minutes: {Error}")]
    private partial void LogFailed(string error);

    [LoggerMessage(2662, LogLevel.Information, "The image file system is used by {Used} %, not less than {High} %: {Bytes} bytes are to be freed")]
    private partial void LogOver(int used, int high, long bytes);

    [LoggerMessage(2663, LogLevel.Information, "Image {Image} of {Size} bytes is removed ({Reason})")]
    private partial void LogRemoved(string image, long size, string reason);

    [LoggerMessage(2664, LogLevel.Warning, "Records of images that are gone could not be removed: {Error}")]
    private partial void LogRecords(string error);
}
