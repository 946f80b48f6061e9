using System.Collections.Immutable;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Eviction;

public sealed class EvictionPlanTests
{
    private static Pod Pod(string name, int priority = 0, string? memory = null, string? storage = null) => TestPods.Pod(name) is var p ? p with
    {
        Spec = p.Spec with
        {
            Priority = priority,
            TerminationGracePeriodSeconds = 30,
            Containers = [p.Spec.Containers[0] with { Resources = new ResourceRequirements { Requests = Requests(("memory", memory), ("ephemeral-storage", storage)) } }],
        },
    } : null!;

    private static Dictionary<string, Quantity> Requests(params (string Name, string? Amount)[] requests) =>
        requests.Where(r => r.Amount is not null).ToDictionary(r => r.Name, r => Quantity.Parse(r.Amount!));

    private static PodUse Uses(long memory = 0, long processes = 0, long rootFs = 0, long logs = 0, long volume = 0) => new()
    {
        Memory = memory,
        Processes = processes,
        Containers = [new ContainerUse("main") { Memory = memory, RootFs = new DiskUse(rootFs, rootFs), Logs = new DiskUse(logs, 1) }],
        Volumes = ImmutableDictionary<string, DiskUse>.Empty.Add("v", new DiskUse(volume, 1)),
    };

    private static string Ranked(string signal, DiskLayout layout, params (Pod Pod, PodUse? Use)[] pods) => string.Join(' ', EvictionPlan.Rank(
        pods.Select(p => p.Pod), signal, layout, pods.Where(p => p.Use is not null).ToDictionary(p => p.Pod.Uid, p => p.Use!)).Select(p => p.Metadata.Name));

    [Fact]
    public void For_memory_those_above_their_request_go_then_low_priority_then_most_above() => Assert.Equal("unknown low most more important within", Ranked(
        EvictionSignals.Memory, DiskLayout.One,
        (Pod("within", -5, memory: "1Gi"), Uses(memory: 1000)), (Pod("more", 1, memory: "100"), Uses(memory: 200)), (Pod("most", 1, memory: "100"), Uses(memory: 300)),
        (Pod("low", 0), Uses(memory: 10)), (Pod("important", 9), Uses(memory: 99999)), (Pod("unknown", 9), null)));

    [Fact]
    public void For_process_ids_low_priority_goes_then_most_processes() => Assert.Equal("low many few high", Ranked(
        EvictionSignals.Pids, DiskLayout.One,
        (Pod("high", 7), Uses(processes: 1000)), (Pod("few", 1), Uses(processes: 2)), (Pod("many", 1), Uses(processes: 20)), (Pod("low"), Uses(processes: 1))));

    [Theory]
    [InlineData(EvictionSignals.NodeFs, DiskLayout.One, "layer volume logs")]
    [InlineData(EvictionSignals.ImageFs, DiskLayout.One, "layer volume logs")]
    [InlineData(EvictionSignals.NodeFs, DiskLayout.ImagesApart, "volume logs layer")]
    [InlineData(EvictionSignals.ImageFs, DiskLayout.ImagesApart, "layer logs volume")]
    [InlineData(EvictionSignals.ContainerFs, DiskLayout.ImagesApart, "layer logs volume")]
    [InlineData(EvictionSignals.NodeFs, DiskLayout.ImagesAloneApart, "layer volume logs")]
    [InlineData(EvictionSignals.NodeFsInodes, DiskLayout.One, "layer logs volume")]
    public void For_disk_what_lies_on_the_disk_that_runs_short_counts(string signal, DiskLayout layout, string expected) => Assert.Equal(expected, Ranked(
        signal, layout, (Pod("logs"), Uses(logs: 100)), (Pod("volume"), Uses(volume: 200)), (Pod("layer"), Uses(rootFs: 300))));

    [Fact]
    public void A_pod_within_its_request_for_storage_goes_after_one_above_it() => Assert.Equal("small big", Ranked(
        EvictionSignals.NodeFs, DiskLayout.One, (Pod("big", storage: "1Mi"), Uses(logs: 1000)), (Pod("small"), Uses(logs: 1))));

    [Theory]
    [InlineData(EvictionSignals.Memory, DiskLayout.One, Reclaim.None)]
    [InlineData(EvictionSignals.Pids, DiskLayout.One, Reclaim.None)]
    [InlineData(EvictionSignals.NodeFs, DiskLayout.One, Reclaim.DeadContainers | Reclaim.UnusedImages)]
    [InlineData(EvictionSignals.NodeFs, DiskLayout.ImagesApart, Reclaim.None)]
    [InlineData(EvictionSignals.ImageFsInodes, DiskLayout.ImagesApart, Reclaim.DeadContainers | Reclaim.UnusedImages)]
    [InlineData(EvictionSignals.ContainerFs, DiskLayout.ImagesApart, Reclaim.DeadContainers | Reclaim.UnusedImages)]
    [InlineData(EvictionSignals.NodeFsInodes, DiskLayout.ImagesAloneApart, Reclaim.DeadContainers)]
    [InlineData(EvictionSignals.ContainerFs, DiskLayout.ImagesAloneApart, Reclaim.DeadContainers)]
    [InlineData(EvictionSignals.ImageFs, DiskLayout.ImagesAloneApart, Reclaim.UnusedImages)]
    internal void What_is_taken_back_first(string signal, DiskLayout layout, Reclaim expected) => Assert.Equal(expected, EvictionPlan.ReclaimFor(signal, layout));

    [Theory]
    [InlineData(0, 60, 1)]
    [InlineData(30, 60, 30)]
    [InlineData(30, 10, 10)]
    public void A_soft_eviction_gives_the_pods_own_time_up_to_the_longest(int softSeconds, int longest, int expected)
    {
        var threshold = new EvictionThreshold(EvictionSignals.Memory, new EvictionAmount(Quantity.Parse("1"), 0)) { Grace = TimeSpan.FromSeconds(softSeconds) };
        Assert.Equal(expected, EvictionPlan.GraceFor(threshold, Pod("p"), TimeSpan.FromSeconds(longest)).TotalSeconds);
    }

    [Fact]
    public void The_message_names_threshold_and_greedy_containers_as_upstream_does()
    {
        var threshold = new EvictionThreshold(EvictionSignals.Memory, new EvictionAmount(Quantity.Parse("100Mi"), 0));
        var signals = new Dictionary<string, EvictionSignal> { [EvictionSignals.Memory] = new(50 << 20, 1L << 30) };
        PodEviction eviction = PodEviction.ForWant(threshold, Pod("p", memory: "100Mi"), Uses(memory: 200 << 20), [threshold], signals, TimeSpan.FromSeconds(1));
        Assert.Equal(
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 200Mi, request is 100Mi, has larger consumption of memory. ",
            eviction.Message);
        Assert.Equal(("main", "200Mi", "memory"), (eviction.Annotations["offending_containers"], eviction.Annotations["offending_containers_usage"], eviction.Annotations["starved_resource"]));
        Assert.True(eviction.IsDisruption);
    }

    [Fact]
    public void A_share_is_written_as_the_amount_it_makes_and_unknown_use_says_nothing_of_containers()
    {
        var threshold = new EvictionThreshold(EvictionSignals.NodeFs, new EvictionAmount(null, 0.5f));
        var signals = new Dictionary<string, EvictionSignal> { [EvictionSignals.NodeFs] = new(1 << 10, 1 << 20) };
        PodEviction eviction = PodEviction.ForWant(threshold, Pod("p"), null, [threshold], signals, TimeSpan.FromSeconds(1));
        Assert.Equal("The node was low on resource: ephemeral-storage. Threshold quantity: 512Ki, available: 1Ki. ", eviction.Message);
        Assert.Empty(eviction.Annotations);
    }

    [Theory]
    [InlineData("1Ki", null, 2048, 0, 0, DiskLayout.One, "Usage of EmptyDir volume \"v\" exceeds the limit \"1Ki\". ")]
    [InlineData("2Ki", null, 2048, 0, 0, DiskLayout.One, null)]
    [InlineData(null, "1Ki", 500, 500, 500, DiskLayout.One, "Pod ephemeral local storage usage exceeds the total limit of containers 1Ki. ")]
    [InlineData(null, "1Ki", 0, 0, 1000, DiskLayout.One, null)]
    [InlineData(null, null, 1 << 30, 1 << 30, 1 << 30, DiskLayout.One, null)]
    public void Limits_of_local_storage(string? volumeLimit, string? containerLimit, long volume, long rootFs, long logs, DiskLayout layout, string? expected) =>
        Assert.Equal(expected, PodEviction.ForLimit(Limited(volumeLimit, containerLimit), Uses(volume: volume, rootFs: rootFs, logs: logs), layout)?.Message);

    [Fact]
    public void A_container_alone_above_its_limit_is_found_although_the_pod_is_within_the_sum()
    {
        Pod pod = Limited(null, "1Ki");
        pod = pod with { Spec = pod.Spec with { Containers = [.. pod.Spec.Containers, pod.Spec.Containers[0] with { Name = "other" }] } };
        Assert.Equal("Container main exceeded its local ephemeral storage limit \"1Ki\". ", PodEviction.ForLimit(pod, Uses(rootFs: 1500), DiskLayout.One)?.Message);
        Assert.Null(PodEviction.ForLimit(pod, Uses(rootFs: 1500), DiskLayout.ImagesApart));
        Assert.NotNull(PodEviction.ForLimit(pod, Uses(logs: 1500), DiskLayout.ImagesApart));
    }

    [Fact]
    public void Only_pods_with_limits_need_to_be_measured()
    {
        Assert.False(PodEviction.HasLimit(Pod("p")));
        Assert.True(PodEviction.HasLimit(Limited("1Ki", null)));
        Assert.True(PodEviction.HasLimit(Limited(null, "1Ki")));
    }

    private static Pod Limited(string? volume, string? container) => Pod("p") is var p ? p with
    {
        Spec = p.Spec with
        {
            Volumes = [new Volume { Name = "v", EmptyDir = new EmptyDirVolumeSource { SizeLimit = volume is null ? null : Quantity.Parse(volume) } }],
            Containers = [p.Spec.Containers[0] with { Resources = new ResourceRequirements { Limits = Requests(("ephemeral-storage", container)) } }],
        },
    } : null!;
}
