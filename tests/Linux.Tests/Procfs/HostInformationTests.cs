using NodeAgent.Linux.Network;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Linux.Tests.Procfs;

public sealed class HostInformationTests
{
    [Fact]
    public void Memory_information_is_read_in_bytes()
    {
        MemoryInformation memory = MemoryInformation.Parse("MemTotal:       1000 kB\nMemFree:  300 kB\nMemAvailable: 500 kB\nInactive(file): 100 kB\nSwapTotal: 0 kB\n"u8);
        Assert.Equal(1000 * 1024, memory.Total);
        Assert.Equal(600 * 1024, memory.WorkingSet);
    }

    [Theory]
    [InlineData("0", 1)]
    [InlineData("0-3", 4)]
    [InlineData("0-3,8,10-11", 7)]
    public void Cpu_lists_are_counted(string list, int count) => Assert.Equal(count, HostInformation.CountCpuList(list));

    [Fact]
    public void Quotes_of_os_release_are_resolved() =>
        Assert.Equal("Debian \"12\" $x", HostInformation.OsRelease("ID=debian\nPRETTY_NAME=\"Debian \\\"12\\\" \\$x\"\n", "PRETTY_NAME"));

    [Fact]
    public void This_hosts_facts_are_readable()
    {
        HostInformation host = new();
        Assert.True(host.Memory().Total > 0);
        Assert.True(host.LogicalCpus() > 0);
        Assert.NotEmpty(host.BootId());
        Assert.NotEmpty(host.KernelVersion());
        Assert.True(FileSystemUsage.Of("/").Capacity > 0);
        Assert.Throws<IOException>(() => FileSystemUsage.Of("/nonexistent"));
    }

    [Fact]
    public void Default_routes_come_least_metric_first()
    {
        const string v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n" +
            "eth1\t00000000\t0101A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\neth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" +
            "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\ndown\t00000000\t0101A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n";
        Assert.Equal(["eth0", "eth1"], DefaultRoute.InterfacesV4(v4));
        string zero = new('0', 32);
        Assert.Equal(["eth0"], DefaultRoute.InterfacesV6(
            $"{zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 00000003 eth0\n{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n"));
    }
}
