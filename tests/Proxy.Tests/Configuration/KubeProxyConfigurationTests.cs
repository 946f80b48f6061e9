using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Proxy.Tests.Configuration;

public sealed class KubeProxyConfigurationTests : IDisposable
{
    private const string Head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

    private readonly string file = Path.GetTempFileName();

    public void Dispose() => File.Delete(file);

    [Fact]
    public void Without_anything_the_defaults_of_Linux_hold()
    {
        KubeProxyConfiguration c = Usable();
        Assert.Equal(("iptables", "ClusterCIDR", "0.0.0.0:10256", "127.0.0.1:10249"), (c.Mode, c.DetectLocalMode, c.HealthzBindAddress, c.MetricsBindAddress));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(1), 14), (c.SyncPeriod, c.MinSyncPeriod, c.MasqueradeBit));
    }

    [Fact]
    public void With_flags_alone_ipvs_has_a_minimum_of_one_second_and_in_a_file_none()
    {
        Assert.Equal(TimeSpan.FromSeconds(1), Usable("--proxy-mode=ipvs").MinSyncPeriod);
        Assert.Equal(TimeSpan.Zero, FromFile("mode: ipvs\n").MinSyncPeriod);
    }

    [Fact]
    public void The_periods_of_iptables_flags_hold_for_nftables_and_not_for_ipvs()
    {
        Assert.Equal(TimeSpan.FromSeconds(7), Usable("--proxy-mode=nftables", "--iptables-sync-period=7s").SyncPeriod);
        Assert.Equal(TimeSpan.FromSeconds(30), Usable("--proxy-mode=ipvs", "--iptables-sync-period=7s").SyncPeriod);
    }

    [Fact]
    public void Each_mode_reads_its_own_part_of_a_file()
    {
        const string Parts = "iptables: {syncPeriod: 1m, masqueradeBit: 3, masqueradeAll: true}\nnftables: {syncPeriod: 2m, masqueradeBit: 5}\nipvs: {syncPeriod: 3m}\n";
        KubeProxyConfiguration nftables = FromFile("mode: nftables\n" + Parts), ipvs = FromFile("mode: ipvs\n" + Parts);
        Assert.Equal((2, 5, false), ((int)nftables.SyncPeriod.TotalMinutes, nftables.MasqueradeBit, nftables.MasqueradeAll));
        Assert.Equal((3, 3, true), ((int)ipvs.SyncPeriod.TotalMinutes, ipvs.MasqueradeBit, ipvs.MasqueradeAll));
        Assert.Equal(["primary"], nftables.NodePortAddresses);
    }

    [Fact]
    public void Beside_a_file_other_flags_are_not_heeded_but_named()
    {
        File.WriteAllText(file, Head + "mode: iptables\nlogging: {verbosity: 1}\n");
        LoadedKubeProxyConfiguration loaded = Load($"--config={file}", "--proxy-mode=ipvs", "--v=5", "--hostname-override= Node-A ");
        Assert.True(loaded.IsUsable);
        Assert.Equal(("iptables", 5, "node-a"), (loaded.Configuration.Mode, loaded.Configuration.Logging.Verbosity, loaded.Configuration.HostnameOverride));
        Assert.Equal(["--proxy-mode"], loaded.Problems.Select(p => p.Path));
    }

    [Theory]
    [InlineData("bindAddress: \"::\"", "[::]:10256", "[::1]:10249")]
    [InlineData("healthzBindAddress: 10.0.0.1\nmetricsBindAddress: 0.0.0.0:9", "10.0.0.1:10256", "0.0.0.0:9")]
    [InlineData("healthzBindAddress: \"fd00::1\"", "[fd00::1]:10256", "127.0.0.1:10249")]
    public void Addresses_get_family_and_port(string text, string healthz, string metrics)
    {
        KubeProxyConfiguration c = FromFile(text + "\n");
        Assert.Equal((healthz, metrics), (c.HealthzBindAddress, c.MetricsBindAddress));
    }

    [Theory]
    [InlineData("mode: userspace", "mode")]
    [InlineData("iptables: {masqueradeBit: 32}", "iptables.masqueradeBit")]
    [InlineData("iptables: {syncPeriod: 1s, minSyncPeriod: 2s}", "iptables.minSyncPeriod")]
    [InlineData("bindAddress: host", "bindAddress")]
    [InlineData("metricsBindAddress: 127.0.0.1:0", "metricsBindAddress")]
    [InlineData("healthzBindAddress: a:1", "healthzBindAddress")]
    [InlineData("nodePortAddresses: [primary, 10.0.0.0/8]", "nodePortAddresses[0]")]
    [InlineData("nodePortAddresses: [10.0.0.0]", "nodePortAddresses[0]")]
    [InlineData("detectLocalMode: Guess", "detectLocalMode")]
    [InlineData("detectLocalMode: BridgeInterface", "detectLocal.bridgeInterface")]
    [InlineData("clusterCIDR: 10.0.0.0/8,11.0.0.0/8", "clusterCIDR")]
    [InlineData("conntrack: {min: -1}", "conntrack.min")]
    [InlineData("oomScoreAdj: 1001", "oomScoreAdj")]
    [InlineData("mode: ipvs\nipvs: {excludeCIDRs: [x]}", "ipvs.excludeCIDRs")]
    [InlineData("mode: 5", "mode")]
    public void A_violation_is_fatal_and_names_the_field(string text, string path)
    {
        File.WriteAllText(file, Head + text + "\n");
        LoadedKubeProxyConfiguration loaded = Load($"--config={file}");
        Assert.False(loaded.IsUsable);
        Assert.Equal([path], loaded.Problems.Where(p => p.Kind == ConfigurationProblemKind.Invalid).Select(p => p.Path).Distinct());
    }

    [Theory]
    [InlineData("clusterCIDR: 010.0.0.0/08")]
    [InlineData("clusterCIDR: 10.0.0.0/8,fd00::/64")]
    [InlineData("nodePortAddresses: [172.30.0.041/025]")]
    public void Addresses_are_read_leniently(string text) => Assert.NotNull(FromFile(text + "\n"));

    [Fact]
    public void A_written_configuration_is_read_again_the_same()
    {
        ConfigurationTable<KubeProxyConfiguration> table = KubeProxyConfigurationTable.Fields;
        KubeProxyConfiguration given = Usable("--cluster-cidr=10.0.0.0/8", "--nodeport-addresses=10.0.0.0/8,fd00::/64", "--masquerade-all", "--kube-api-qps=2.5");
        ConfigurationResult<KubeProxyConfiguration> read = table.Decode(table.Encode(given), "again");
        Assert.Empty(read.Problems);
        Assert.Equal(table.Encode(given).ToJsonString(), table.Encode(read.Value).ToJsonString());
    }

    private KubeProxyConfiguration FromFile(string text)
    {
        File.WriteAllText(file, Head + text);
        return Usable($"--config={file}");
    }

    private static KubeProxyConfiguration Usable(params string[] arguments)
    {
        LoadedKubeProxyConfiguration loaded = Load(arguments);
        Assert.True(loaded.IsUsable, string.Join('\n', loaded.Problems));
        return loaded.Configuration;
    }

    private static LoadedKubeProxyConfiguration Load(params string[] arguments) => KubeProxyConfigurationLoader.Load(KubeProxyFlagTable.Flags.Parse(arguments));
}
