using System.Collections.Immutable;
using NodeAgent.Cri.V1;

namespace NodeAgent.Kubelet.Images;

/// <summary>What is known of an image from looking again and again.</summary>
/// <param name="Id">The runtime's id.</param>
/// <param name="FirstSeen">When it was first seen, on a clock that only goes forward.</param>
/// <param name="LastUsed">When a container was last seen that has it; null: never.</param>
/// <param name="Used">Whether one has it now.</param>
/// <param name="Pinned">The runtime wants it kept.</param>
/// <param name="Size">Bytes.</param>
internal sealed record ImageUse(string Id, TimeSpan FirstSeen, TimeSpan? LastUsed, bool Used, bool Pinned, long Size)
{
    /// <summary>For how long nobody needed it, as far as seen.</summary>
    public TimeSpan UnusedFor(TimeSpan now) => now - (LastUsed ?? FirstSeen);
}

/// <summary>Which images are in use, and which of the others go first. Pure. Source: pkg/kubelet/images/image_gc_manager.go.</summary>
internal static class ImageUses
{
    /// <summary>What is known after one more look.</summary>
    /// <param name="before">What was known.</param>
    /// <param name="images">The runtime's images.</param>
    /// <param name="references">Names, digests and ids that containers were made from, dead containers too.</param>
    /// <param name="now">On a clock that only goes forward.</param>
    public static ImmutableDictionary<string, ImageUse> Observe(
        ImmutableDictionary<string, ImageUse> before, IEnumerable<Image> images, IReadOnlySet<string> references, TimeSpan now)
    {
        var seen = ImmutableDictionary.CreateBuilder<string, ImageUse>();
        foreach (Image image in images.Where(i => i.Id.Length > 0))
        {
            ImageUse? known = before.GetValueOrDefault(image.Id);
            bool used = references.Contains(image.Id) || image.RepoTags.Any(references.Contains) || image.RepoDigests.Any(references.Contains);
            seen[image.Id] = new ImageUse(image.Id, known?.FirstSeen ?? now, used ? now : known?.LastUsed, used, image.Pinned, (long)image.Size);
        }

        return seen.ToImmutable();
    }

    /// <summary>Images that may go, first the one that goes first: never used or longest unused, then longest known.</summary>
    public static IReadOnlyList<ImageUse> Unused(IEnumerable<ImageUse> images) =>
        [.. images.Where(i => !i.Used && !i.Pinned).OrderBy(i => i.LastUsed ?? TimeSpan.MinValue).ThenBy(i => i.FirstSeen).ThenBy(i => i.Id, StringComparer.Ordinal)];

    /// <summary>
    /// Those unused for too long. Unlike upstream an image that was never seen in use counts from when it was first seen, so that one just
    /// pulled does not go before its container is made.
    /// </summary>
    public static IReadOnlyList<ImageUse> TooOld(IEnumerable<ImageUse> unused, ImageGarbagePolicy policy, TimeSpan now, TimeSpan runningFor) =>
        policy.MaximumAge == TimeSpan.Zero || runningFor <= policy.MaximumAge ? [] : [.. unused.Where(i => i.UnusedFor(now) > policy.MaximumAge)];

    /// <summary>Those that may go for want of space.</summary>
    public static IReadOnlyList<ImageUse> OldEnough(IEnumerable<ImageUse> unused, ImageGarbagePolicy policy, TimeSpan now) =>
        [.. unused.Where(i => now - i.FirstSeen >= policy.MinimumAge)];
}
