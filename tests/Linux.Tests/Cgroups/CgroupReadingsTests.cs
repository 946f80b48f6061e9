using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Linux.Tests.Cgroups;

public sealed class CgroupReadingsTests
{
    [Fact]
    public void Files_of_cgroup_v1_are_read()
    {
        CgroupLimits limits = CgroupReadings.V1("1024\n", "20000\n", "100000\n", "10485760\n");
        Assert.Equal((1024L, 20_000L, 100_000L, 10L << 20), (limits.CpuShares, limits.CpuQuota, limits.CpuPeriod, limits.Memory));
    }

    [Fact]
    public void No_limit_is_negative_and_a_missing_file_is_null()
    {
        CgroupLimits v1 = CgroupReadings.V1("", "-1\n", "", "9223372036854771712\n");
        Assert.Equal((null, -1L, 100_000L, -1L), (v1.CpuShares, v1.CpuQuota, v1.CpuPeriod, v1.Memory));
        CgroupLimits v2 = CgroupReadings.V2("", "max 100000\n", "max\n");
        Assert.Equal((null, -1L, -1L), (v2.CpuShares, v2.CpuQuota, v2.Memory));
        Assert.Null(CgroupReadings.V2("", "", "").CpuQuota);
    }

    [Theory]
    [InlineData("1", 2)]
    [InlineData("39", 998)]
    [InlineData("10000", 262144)]
    public void A_weight_becomes_shares(string weight, long shares) => Assert.Equal(shares, CgroupReadings.V2(weight, "max 100000", "max").CpuShares);

    [Theory]
    [InlineData(2, 2)]
    [InlineData(102, 100)]
    [InlineData(1024, 1000)]
    [InlineData(1, 0)]
    public void Shares_become_thousandths_of_a_cpu_rounded_up(long shares, long milli) => Assert.Equal(milli, CgroupUnits.MilliOfShares(shares));
}
