using System.Collections.Immutable;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Images;

namespace NodeAgent.Kubelet.Tests.Images;

public sealed class ImageUsesTests
{
    private static readonly ImmutableDictionary<string, ImageUse> Nothing = ImmutableDictionary<string, ImageUse>.Empty;

    private static TimeSpan At(int minutes) => TimeSpan.FromMinutes(minutes);

    private static Image Image(string id, string tag = "", bool pinned = false) => new() { Id = id, RepoTags = { tag.Length > 0 ? [tag] : [] }, Pinned = pinned, Size = 10 };

    private static ImmutableDictionary<string, ImageUse> Look(ImmutableDictionary<string, ImageUse> before, int minute, string used, params Image[] images) =>
        ImageUses.Observe(before, images, used.Split(' ').ToHashSet(), At(minute));

    [Fact]
    public void An_image_is_in_use_by_its_id_tag_or_digest()
    {
        var known = Look(Nothing, 0, "sha256:a busybox:1 app@sha256:d", Image("sha256:a"), Image("sha256:b", "busybox:1"), new Image { Id = "sha256:c", RepoDigests = { "app@sha256:d" } }, Image("sha256:e", "other:1"));
        Assert.Equal(["sha256:e"], ImageUses.Unused(known.Values).Select(i => i.Id));
    }

    [Fact]
    public void Never_used_goes_before_longest_unused_and_pinned_not_at_all()
    {
        Image[] images = [Image("early"), Image("late"), Image("never"), Image("pinned", pinned: true)];
        var known = Look(Nothing, 0, "early late", images);
        known = Look(known, 5, "late", images);
        known = Look(known, 10, "", images);
        Assert.Equal(["never", "early", "late"], ImageUses.Unused(known.Values).Select(i => i.Id));
        Assert.Equal(At(10), known["early"].UnusedFor(At(10)));
        Assert.Equal(At(5), known["late"].UnusedFor(At(10)));
    }

    [Fact]
    public void What_was_removed_and_pulled_again_counts_as_new()
    {
        var known = Look(Look(Look(Nothing, 0, "", Image("a")), 5, ""), 10, "", Image("a"));
        Assert.Equal(At(10), known["a"].FirstSeen);
    }

    [Theory]
    [InlineData(0, 100, "")]
    [InlineData(30, 100, "a b")]
    [InlineData(45, 100, "a")]
    [InlineData(30, 30, "")]
    public void Too_old_images_go_only_once_the_agent_ran_that_long(int maximum, int runningFor, string expected)
    {
        ImageUse[] unused = [new("a", At(0), At(50), false, false, 1), new("b", At(60), null, false, false, 1), new("c", At(0), At(90), false, false, 1)];
        var policy = ImageGarbagePolicy.Default with { MaximumAge = At(maximum) };
        Assert.Equal(expected, string.Join(' ', ImageUses.TooOld(unused, policy, At(100), At(runningFor)).Select(i => i.Id)));
    }

    [Theory]
    [InlineData(100, 16, 0)]
    [InlineData(100, 15, 5)]
    [InlineData(100, 0, 20)]
    [InlineData(1000, 159, 41)]
    [InlineData(100, 200, 0)]
    public void What_is_to_be_freed(long capacity, long available, long expected) => Assert.Equal(expected, ImageGarbagePolicy.Default.ToFree(capacity, available));

    [Theory]
    [InlineData(500, "500 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(10L << 30, "10.0 GiB")]
    [InlineData(5000L << 40, "5000.0 TiB")]
    public void Sizes_are_written_as_upstream_writes_them(long bytes, string expected) => Assert.Equal(expected, ImageGarbageCollector.Readable(bytes));
}
