using NodeAgent.Composition;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.NodeAgent.Tests.Composition;

public sealed class StartEventsTests : IEventRecorder
{
    private readonly List<string> _told = [];

    void IEventRecorder.Record(ObjectReference regarding, string type, string reason, string message, string action) => _told.Add($"{type} {reason} {message}");

    [Fact]
    public void A_start_tells_what_it_found() =>
        Assert.Equal(
            ["Normal Starting", "Warning PossibleMemoryBackedVolumesOnDisk", "Warning CgroupV1", "Warning FailedNodeAllocatableEnforcement", "Normal NodeAllocatableEnforced"],
            StartEvents.Of(new StartFindings("old", true, "too low", ["limits"])).Select(e => $"{e.Type} {e.Reason}"));

    [Fact]
    public void A_start_without_findings_tells_only_that_it_starts() =>
        Assert.Equal(["Starting"], StartEvents.Of(new StartFindings(null, false, null, [])).Select(e => e.Reason));

    [Fact]
    public async Task A_set_up_that_fails_is_told_before_its_error_goes_on()
    {
        IOException error = await Assert.ThrowsAsync<IOException>(() => ToldAsync(() => throw new IOException("no folder")));
        Assert.Equal("no folder", error.Message);
        Assert.Equal(["Warning KubeletSetupFailed no folder"], _told);
    }

    [Fact]
    public async Task A_set_up_that_succeeds_or_is_called_off_is_no_failure()
    {
        await ToldAsync(() => Task.CompletedTask);
        await Assert.ThrowsAsync<OperationCanceledException>(() => ToldAsync(() => throw new OperationCanceledException()));
        Assert.Empty(_told);
    }

    [Theory]
    [InlineData("6.4.0", true)]
    [InlineData("6.12.3-amd64", true)]
    [InlineData("7.0", true)]
    [InlineData("6.3.13", null)]
    [InlineData("5.14.0-427.el9.x86_64", null)]
    [InlineData("6", null)]
    [InlineData("unknown", null)]
    public void A_kernel_of_6_4_or_later_keeps_a_tmpfs_out_of_swap_and_others_have_to_be_asked(string release, bool? expected) =>
        Assert.Equal(expected, MemoryBackedVolumes.HasNoswap(release));

    private Task ToldAsync(Func<Task> setUp) => StartEvents.ToldAsync(setUp, new NodeEvents(this, "n1"), null, TimeProvider.System);
}
