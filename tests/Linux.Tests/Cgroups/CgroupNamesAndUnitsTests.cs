using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Linux.Tests.Cgroups;

public sealed class CgroupNamesAndUnitsTests
{
    [Theory]
    [InlineData("/", "/", "/", "-.slice")]
    [InlineData("/kubepods", "/kubepods", "/kubepods.slice", "kubepods.slice")]
    [InlineData("/kubepods/burstable/podaf-1", "/kubepods/burstable/podaf-1",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podaf_1.slice", "kubepods-burstable-podaf_1.slice")]
    [InlineData("/kubelet/kubepods", "/kubelet/kubepods", "/kubelet.slice/kubelet-kubepods.slice", "kubelet-kubepods.slice")]
    public void Names_print_as_each_driver_spells_them(string name, string cgroupfs, string systemd, string unit)
    {
        CgroupName parsed = CgroupName.Parse(name);
        Assert.Equal(cgroupfs, parsed.Path(CgroupDriver.Cgroupfs));
        Assert.Equal(systemd, parsed.Path(CgroupDriver.Systemd));
        Assert.Equal(unit, parsed.SliceUnit());
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    public void What_is_no_path_segment_is_refused(string part) => Assert.Throws<ArgumentException>(() => CgroupName.Root.Child(part));

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    [InlineData(100, 102)]
    [InlineData(1000, 1024)]
    [InlineData(10_000_000, 262144)]
    public void Shares_of_milli_cpus(long milli, long shares) => Assert.Equal(shares, CgroupUnits.SharesOf(milli));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1000)]
    [InlineData(15, 1500)]
    [InlineData(2000, 200_000)]
    public void Quota_of_milli_cpus(long milli, long quota) => Assert.Equal(quota, CgroupUnits.QuotaOf(milli, CgroupUnits.DefaultPeriod));

    [Theory]
    [InlineData(2, 1)]
    [InlineData(1024, 39)]
    [InlineData(262144, 10000)]
    public void Weight_of_shares(long shares, long weight) => Assert.Equal(weight, CgroupUnits.WeightOf(shares));

    [Fact]
    public void Systemds_quota_is_rounded_up_to_whole_percent()
    {
        Assert.Equal(20_000UL, CgroupUnits.QuotaPerSecond(1500, 100_000));
        Assert.Equal(500_000UL, CgroupUnits.QuotaPerSecond(50_000, 100_000));
    }

    [Fact]
    public void Limits_become_slice_properties()
    {
        CgroupLimits limits = new() { CpuShares = 1024, CpuQuota = -1, Memory = 4096, Pids = -1 };
        Assert.Equal(["CPUWeight=39", "CPUQuotaPeriodUSec=100000", $"CPUQuotaPerSecUSec={ulong.MaxValue}", "MemoryMax=4096", $"TasksMax={ulong.MaxValue}"],
            SystemdSliceProperties.Limits(limits, CgroupVersion.V2).Select(p => $"{p.Name}={p.Value.Value}"));
        Assert.Contains(SystemdSliceProperties.New(CgroupName.Parse("/kubepods/burstable")), p => p.Name == "Wants" && ((object[])p.Value.Value)[0].Equals("kubepods.slice"));
    }

    [Fact]
    public void A_hybrid_host_counts_as_v1_with_its_unified_hierarchy_and_a_controllers_first_mount_is_taken()
    {
        const string info = """
            30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
            31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
            32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
            33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
            34 30 0:27 /x /mnt/other rw - cgroup cgroup rw,cpu,cpuacct
            """;
        CgroupMounts mounts = CgroupMounts.Parse(info)!;
        Assert.Equal(CgroupVersion.V1, mounts.Version);
        Assert.Equal("/sys/fs/cgroup/cpu,cpuacct", mounts.Hierarchies["cpuacct"]);
        Assert.Equal("/sys/fs/cgroup/systemd", mounts.Hierarchies["name=systemd"]);
        Assert.Equal("/sys/fs/cgroup/unified", mounts.Hierarchies[""]);
        Assert.Equal(4, mounts.Hierarchies.Count);
    }

    [Fact]
    public void The_unified_hierarchy_at_its_place_is_v2() =>
        Assert.Equal(CgroupVersion.V2, CgroupMounts.Parse("30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate")!.Version);

    [Fact]
    public void A_host_without_cgroups_has_none() => Assert.Null(CgroupMounts.Parse("30 24 0:26 / / rw - ext4 /dev/sda rw"));
}
