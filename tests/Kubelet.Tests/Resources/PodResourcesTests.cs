using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Resources;

public sealed class PodResourcesTests : IDisposable
{
    private readonly BlockingWork _work = new();

    public void Dispose() => _work.Dispose();

    internal static Dictionary<string, Quantity> List(params string[] pairs) =>
        pairs.Select(p => p.Split('=')).ToDictionary(p => p[0], p => Quantity.Parse(p[1]));

    internal static Container With(string name, string requests, string limits, string? restartPolicy = null) => new()
    {
        Name = name,
        RestartPolicy = restartPolicy,
        Resources = new ResourceRequirements
        {
            Requests = List(requests.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
            Limits = List(limits.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
        },
    };

    internal static Pod PodOf(Container[] containers, Container[]? init = null) => new()
    {
        Metadata = new ObjectMeta { Name = "p", Namespace = "default", Uid = "11-22" },
        Spec = new PodSpec { Containers = containers, InitContainers = init ?? [] },
    };

    [Fact]
    public void Requests_are_the_sum_or_the_peak_of_the_init_containers_with_sidecars_before_them()
    {
        Pod pod = PodOf([With("a", "cpu=100m", ""), With("b", "cpu=200m memory=1Gi", "")],
            [With("i1", "cpu=500m", ""), With("s", "cpu=50m", "", "Always"), With("i2", "cpu=1", "")]);
        IReadOnlyDictionary<string, Quantity> requests = PodResources.Requests(pod);
        Assert.Equal("1050m", requests["cpu"].ToString());
        Assert.Equal("1Gi", requests["memory"].ToString());
    }

    [Fact]
    public void Pod_level_values_win_and_overhead_is_added()
    {
        Pod pod = PodOf([With("a", "cpu=100m", "cpu=1")]);
        pod = pod with { Spec = pod.Spec with { Overhead = List("cpu=10m", "memory=5Mi"), Resources = new ResourceRequirements { Requests = List("cpu=300m") } } };
        Assert.Equal(310, PodResources.Requests(pod)["cpu"].MilliValue());
        Assert.Equal(1010, PodResources.Limits(pod)["cpu"].MilliValue());
        Assert.False(PodResources.Limits(pod).ContainsKey("memory"));
    }

    [Theory]
    [InlineData("", "", QosClass.BestEffort)]
    [InlineData("cpu=1 memory=1Gi", "cpu=1 memory=1Gi", QosClass.Guaranteed)]
    [InlineData("cpu=1 memory=1Gi", "cpu=1000m memory=1024Mi", QosClass.Guaranteed)]
    [InlineData("cpu=1", "cpu=1", QosClass.Burstable)]
    [InlineData("cpu=1 memory=1Gi", "", QosClass.Burstable)]
    [InlineData("cpu=0", "", QosClass.BestEffort)]
    [InlineData("ephemeral-storage=1Gi", "", QosClass.BestEffort)]
    public void Class_of_a_pod_with_one_container(string requests, string limits, QosClass expected) =>
        Assert.Equal(expected, PodQos.Compute(PodOf([With("a", requests, limits)])));

    [Fact]
    public void One_container_without_limits_makes_a_pod_burstable() =>
        Assert.Equal(QosClass.Burstable, PodQos.Compute(PodOf([With("a", "cpu=1 memory=1Gi", "cpu=1 memory=1Gi"), With("b", "", "")])));

    [Fact]
    public void Limits_of_a_guaranteed_pods_cgroup()
    {
        CgroupLimits limits = PodCgroupLimits.ForPod(PodOf([With("a", "cpu=500m memory=64Mi", "cpu=500m memory=64Mi")]), true, 100_000, 1000);
        Assert.Equal((512, 50_000, 64 << 20, 1000), (limits.CpuShares, limits.CpuQuota, limits.Memory, limits.Pids));
    }

    [Fact]
    public void A_burstable_pod_is_limited_only_where_every_container_is()
    {
        CgroupLimits half = PodCgroupLimits.ForPod(PodOf([With("a", "cpu=100m", "cpu=200m memory=64Mi"), With("b", "cpu=100m", "cpu=200m")]), true, 100_000, -1);
        Assert.Equal((204, 40_000), (half.CpuShares, half.CpuQuota));
        Assert.Null(half.Memory);
        Assert.Null(half.Pids);
        Assert.Equal(2, PodCgroupLimits.ForPod(PodOf([With("a", "", "")]), true, 100_000, -1).CpuShares);
        Assert.Equal(-1, PodCgroupLimits.ForPod(PodOf([With("a", "cpu=100m", "cpu=200m")]), false, 100_000, -1).CpuQuota);
    }

    [Fact]
    public void Allocatable_is_capacity_less_reservations_and_huge_pages()
    {
        Dictionary<string, Quantity> capacity = List("cpu=4", "memory=8Gi", "hugepages-2Mi=1Gi", "pods=110");
        NodeReservations reservations = new(List("cpu=500m", "memory=1Gi"), List("memory=512Mi"), List("memory=100Mi"));
        IReadOnlyDictionary<string, Quantity> allocatable = NodeAllocatable.ForStatus(capacity, reservations);
        Assert.Equal(3500, allocatable["cpu"].MilliValue());
        Assert.Equal((8192L - 1024 - 512 - 100 - 1024) << 20, allocatable["memory"].Value());
        Assert.Equal((8192L - 1024 - 512) << 20, NodeAllocatable.ForPods(capacity, reservations)["memory"].Value());
        Assert.StartsWith("invalid Node Allocatable configuration. Resource \"cpu\" has a reservation of 5",
            NodeAllocatable.Validate(capacity, reservations with { SystemReserved = List("cpu=5") }), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pod11-22", CgroupDriver.Cgroupfs, "11-22")]
    [InlineData("kubepods-burstable-pod11_22.slice", CgroupDriver.Systemd, "11-22")]
    [InlineData("kubepods-pod11_22.slice", CgroupDriver.Systemd, "11-22")]
    [InlineData("kubepods-burstable.slice", CgroupDriver.Systemd, null)]
    [InlineData("burstable", CgroupDriver.Cgroupfs, null)]
    [InlineData("cri-containerd-abc.scope", CgroupDriver.Systemd, null)]
    public void Uids_are_read_from_folder_names(string folder, CgroupDriver driver, string? uid) =>
        Assert.Equal(uid, PodCgroupNames.UidOf(folder, driver)?.Value);

    [Fact]
    public async Task A_pod_is_ensured_listed_and_removed_whatever_its_class()
    {
        FakeCgroups cgroups = new(CgroupDriver.Systemd);
        using BlockingWork work = new();
        PodCgroupManager manager = new(cgroups, new CgroupOptions { CgroupRoot = "/nodeagent-test" }, work);
        Pod pod = PodOf([With("a", "cpu=100m", "")]);
        Assert.Equal("/nodeagent_test.slice/nodeagent_test-kubepods.slice/nodeagent_test-kubepods-burstable.slice/nodeagent_test-kubepods-burstable-pod11_22.slice",
            manager.CgroupParent(pod));
        await manager.EnsureAsync(pod, default);
        Assert.Equal([pod.Uid], await manager.ListAsync(default));
        await manager.RemoveAsync(new PodUid("../burstable"), default);
        cgroups.Lists = 0;
        await manager.RemoveAsync(pod.Uid, default);
        Assert.Equal(0, cgroups.Lists);
        Assert.Empty(await manager.ListAsync(default));
    }

    [Fact]
    public async Task The_tree_is_made_with_node_allocatable_and_burstable_shares_follow_the_pods()
    {
        FakeCgroups cgroups = new(CgroupDriver.Cgroupfs);
        CgroupOptions options = new() { Reservations = new(List("memory=1Gi"), List(), List()) };
        QosContainerManager manager = new(cgroups, options, List("cpu=4", "memory=8Gi", "pid=1000"), _work);
        await manager.StartAsync(default);
        Assert.Equal((4096, 7L << 30, 1000), (cgroups.Limits["/kubepods"].CpuShares, cgroups.Limits["/kubepods"].Memory, cgroups.Limits["/kubepods"].Pids));
        Assert.Equal(2, cgroups.Limits["/kubepods/besteffort"].CpuShares);
        Active pods = new(PodOf([With("a", "cpu=250m", "")]), PodOf([With("a", "cpu=750m", "")]), PodOf([With("a", "", "")]));
        await manager.UpdateAsync(pods, default);
        Assert.Equal(1024, cgroups.Limits["/kubepods/burstable"].CpuShares);
        int writes = cgroups.Writes;
        await manager.UpdateAsync(pods, default);
        Assert.Equal(writes, cgroups.Writes);
    }

    [Theory]
    [InlineData(CgroupDriver.Systemd, "/system.slice", "/system")]
    [InlineData(CgroupDriver.Systemd, "/a.slice/a-b_c.slice", "/a/b-c")]
    [InlineData(CgroupDriver.Systemd, "runtime", "/runtime")]
    [InlineData(CgroupDriver.Cgroupfs, "/system.slice", "/system.slice")]
    public async Task Reserved_cgroups_are_named_as_the_driver_has_them(CgroupDriver driver, string written, string name)
    {
        FakeCgroups cgroups = new(driver);
        await cgroups.EnsureAsync(CgroupName.Parse(name), CgroupLimits.None, default);
        QosContainerManager manager = new(cgroups, new CgroupOptions
        {
            EnforceNodeAllocatable = ["pods", "system-reserved"],
            SystemReservedCgroup = written,
            Reservations = new(List("cpu=500m", "memory=1Gi"), List(), List()),
        }, List("cpu=4", "memory=8Gi"), _work);
        await manager.StartAsync(default);
        Assert.Equal((512, 1L << 30), (cgroups.Limits[name].CpuShares, cgroups.Limits[name].Memory));
        Assert.Equal(["Updated Node Allocatable limit across pods", $"Updated limits on system reserved cgroup {written}"], manager.Enforced);
    }

    [Fact]
    public async Task A_limit_that_running_pods_exceed_does_not_keep_the_agent_from_starting_and_comes_later()
    {
        FakeCgroups cgroups = new(CgroupDriver.Cgroupfs);
        QosContainerManager first = new(cgroups, new CgroupOptions(), List("cpu=4", "memory=8Gi"), _work);
        await first.StartAsync(default);
        QosContainerManager second = new(cgroups, new CgroupOptions { Reservations = new(List("memory=6Gi"), List(), List()) }, List("cpu=4", "memory=8Gi"), _work);
        cgroups.Refused = "/kubepods";
        await second.StartAsync(default);
        Assert.Contains("busy", second.AllocatableError, StringComparison.Ordinal);
        Assert.Equal(8L << 30, cgroups.Limits["/kubepods"].Memory);
        cgroups.Refused = null;
        await second.UpdateAsync(new Active(), default);
        Assert.Null(second.AllocatableError);
        Assert.Equal(2L << 30, cgroups.Limits["/kubepods"].Memory);
        cgroups.Refused = "/kubepods";
        await Assert.ThrowsAsync<CgroupException>(() => new QosContainerManager(new FakeCgroups(CgroupDriver.Cgroupfs) { Refused = "/kubepods" }, new CgroupOptions(), List("cpu=4"), _work).StartAsync(default));
    }

    [Fact]
    public async Task A_pod_gets_no_page_of_a_size_it_does_not_ask_for_and_its_class_counts_it_first()
    {
        FakeCgroups cgroups = new(CgroupDriver.Cgroupfs);
        List<bool> existed = [];
        using BlockingWork work = new();
        PodCgroupManager manager = new(cgroups, new CgroupOptions { HugePageSizes = [2 << 20, 1 << 30] }, work, _ =>
        {
            existed.Add(cgroups.Limits.Count > 0);
            return Task.CompletedTask;
        });
        Pod pod = PodOf([With("a", "cpu=100m hugepages-2Mi=4Mi", "hugepages-2Mi=4Mi")]);
        await manager.EnsureAsync(pod, default);
        await manager.EnsureAsync(pod, default);
        Assert.Equal(["1GB=0", "2MB=4194304"], Assert.Single(cgroups.Limits).Value.HugePages.Select(p => $"{p.Key}={p.Value}"));
        Assert.Equal([false], existed);
    }

    [Fact]
    public void Cgroup_v1_is_refused_unless_allowed()
    {
        Assert.Contains("failCgroupV1: false", CgroupSupport.Refusal(CgroupVersion.V1, true), StringComparison.Ordinal);
        Assert.Null(CgroupSupport.Refusal(CgroupVersion.V1, false));
        Assert.Null(CgroupSupport.Refusal(CgroupVersion.V2, true));
    }

    private sealed record Active(params Pod[] Pods) : IActivePods
    {
        IReadOnlyList<Pod> IActivePods.Active => Pods;
    }

    private sealed class FakeCgroups(CgroupDriver driver) : ICgroupManager
    {
        private readonly Dictionary<CgroupName, CgroupLimits> _all = [];

        public int Writes { get; private set; }

        public string? Refused { get; set; }

        public Dictionary<string, CgroupLimits> Limits => _all.ToDictionary(c => c.Key.ToString(), c => c.Value);

        public CgroupDriver Driver => driver;

        public bool Exists(CgroupName name) => _all.ContainsKey(name);

        public bool IsAnywhere(CgroupName name) => _all.ContainsKey(name);

        public Task EnsureAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken)
        {
            if (name.ToString() == Refused)
            {
                return Task.FromException(new CgroupException(Refused, "device or resource busy"));
            }

            Writes++;
            _all[name] = limits;
            return Task.CompletedTask;
        }

        public Task SetAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken) => EnsureAsync(name, limits, cancellationToken);

        public CgroupLimits Read(CgroupName name) => _all.GetValueOrDefault(name, CgroupLimits.None);

        public long? MemoryUsage(CgroupName name) => null;

        public long? WorkingSet(CgroupName name, string? folder = null) => null;

        public long? Processes(CgroupName name) => null;

        public Task RemoveAsync(CgroupName name, CancellationToken cancellationToken)
        {
            _all.Remove(name);
            return Task.CompletedTask;
        }

        public void KillChild(CgroupName name, string folder) => Killed.Add($"{name}/{folder}");

        public List<string> Killed { get; } = [];

        /// <summary>How often folders were looked through, which takes the longer the more pods there are.</summary>
        public int Lists { get; set; }

        public IReadOnlyList<string> ChildFolders(CgroupName name)
        {
            Lists++;
            return
            [
                .. _all.Keys.Where(c => c.Parts.Length == name.Parts.Length + 1 && c.Parts[..^1].SequenceEqual(name.Parts)).Select(c => Path.GetFileName(c.Path(driver))),
            ];
        }
    }
}
