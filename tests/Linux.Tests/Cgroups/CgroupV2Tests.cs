using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Linux.Tests.Cgroups;

public sealed class CgroupV2Tests : IDisposable
{
    private static readonly CgroupLimits Limits = new()
    {
        CpuShares = 1024,
        CpuQuota = 50_000,
        Memory = 64 << 20,
        Pids = 100,
        HugePages = System.Collections.Immutable.ImmutableSortedDictionary<string, long>.Empty.Add("2MB", 0),
    };

    private readonly FakeCgroupV2 _kernel = new();

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public async Task A_new_cgroup_gets_its_limits_and_its_ancestors_hand_controllers_down()
    {
        CgroupfsManager manager = new(_kernel.Tree());
        CgroupName pod = CgroupName.Parse("/kubepods/burstable/pod1");
        await manager.EnsureAsync(pod, Limits, default);
        string folder = _kernel.Root + "/kubepods/burstable/pod1/";
        Assert.Equal("39", File.ReadAllText(folder + "cpu.weight"));
        Assert.Equal("50000 100000", File.ReadAllText(folder + "cpu.max"));
        Assert.Equal("67108864", File.ReadAllText(folder + "memory.max"));
        Assert.Equal("100", File.ReadAllText(folder + "pids.max"));
        Assert.Equal("0", File.ReadAllText(folder + "hugetlb.2MB.max"));
        Assert.True(manager.Exists(pod));
        Assert.DoesNotContain(_kernel.Writes, w => w == "/cgroup.subtree_control=+memory");
    }

    [Fact]
    public async Task A_second_pass_hands_nothing_down_again()
    {
        CgroupfsManager manager = new(_kernel.Tree());
        await manager.EnsureAsync(CgroupName.Parse("/a/b"), CgroupLimits.None, default);
        _kernel.Writes.Clear();
        await manager.EnsureAsync(CgroupName.Parse("/a/b"), CgroupLimits.None, default);
        Assert.Empty(_kernel.Writes);
    }

    [Fact]
    public async Task A_needed_controller_that_cannot_be_handed_down_is_an_error_that_names_it()
    {
        _kernel.RefusedControllers.Add("cpu");
        CgroupException e = await Assert.ThrowsAsync<CgroupException>(() => new CgroupfsManager(_kernel.Tree()).EnsureAsync(CgroupName.Parse("/a"), CgroupLimits.None, default));
        Assert.Contains("controller cpu", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_optional_controller_that_cannot_be_handed_down_is_passed_over()
    {
        _kernel.RefusedControllers.Add("io");
        await new CgroupfsManager(_kernel.Tree()).EnsureAsync(CgroupName.Parse("/a"), Limits, default);
        Assert.Equal("100", File.ReadAllText(_kernel.Root + "/a/pids.max"));
    }

    [Fact]
    public async Task Removal_kills_what_is_left_and_takes_children_first()
    {
        CgroupfsManager manager = new(_kernel.Tree());
        await manager.EnsureAsync(CgroupName.Parse("/kubepods/pod1/container"), CgroupLimits.None, default);
        File.WriteAllText(_kernel.Root + "/kubepods/pod1/container/cgroup.procs", "4711\n");
        await manager.RemoveAsync(CgroupName.Parse("/kubepods/pod1"), default);
        Assert.False(Directory.Exists(_kernel.Root + "/kubepods/pod1"));
        Assert.Contains("/kubepods/pod1/cgroup.kill=1", _kernel.Writes);
        await manager.RemoveAsync(CgroupName.Parse("/kubepods/pod1"), default);
    }

    [Fact]
    public async Task The_root_is_never_removed()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => new CgroupfsManager(_kernel.Tree()).RemoveAsync(CgroupName.Root, default));
    }
}
