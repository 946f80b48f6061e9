using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Sandboxes;

public sealed class PodDnsTests
{
    private const string HostFile = "# comment\nnameserver 8.8.8.8\nsearch old.example\nsearch corp.example. .\noptions timeout:2 ndots:1\n";
    private static readonly DnsOptions Node = new(["10.96.0.10"], "cluster.local", "/etc/resolv.conf");

    private static PodDns Build(string? policy, bool hostNetwork = false, PodDNSConfig? own = null, DnsOptions? node = null, string file = HostFile)
    {
        Pod pod = TestPods.Pod();
        return DnsConfigBuilder.Build(pod with { Spec = pod.Spec with { DnsPolicy = policy, HostNetwork = hostNetwork, DnsConfig = own } }, node ?? Node, file);
    }

    [Fact]
    public void ClusterFirst_asks_the_cluster_and_searches_its_domains_before_the_nodes()
    {
        PodDns dns = Build("ClusterFirst");
        Assert.Equal(["10.96.0.10"], dns.Config.Servers);
        Assert.Equal(["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"], dns.Config.Searches);
        Assert.Equal(["ndots:5"], dns.Config.Options);
    }

    [Theory]
    [InlineData("Default", false)]
    [InlineData("ClusterFirst", true)]
    public void Default_and_host_network_pods_resolve_as_the_node_does(string policy, bool hostNetwork)
    {
        PodDns dns = Build(policy, hostNetwork);
        Assert.Equal(["8.8.8.8"], dns.Config.Servers);
        Assert.Equal(["corp.example"], dns.Config.Searches);
        Assert.Equal(["timeout:2", "ndots:1"], dns.Config.Options);
        Assert.False(dns.MissingClusterDns);
    }

    [Fact]
    public void Without_clusterDNS_the_node_serves_and_it_is_said()
    {
        PodDns dns = Build("ClusterFirst", node: Node with { ClusterDns = [] });
        Assert.True(dns.MissingClusterDns);
        Assert.Equal(["8.8.8.8"], dns.Config.Servers);
    }

    [Fact]
    public void None_takes_only_what_the_pod_gives()
    {
        PodDns dns = Build("None", own: new PodDNSConfig { Nameservers = ["1.1.1.1"], Searches = ["a.b"], Options = [new PodDNSConfigOption { Name = "ndots", Value = "2" }, new PodDNSConfigOption { Name = "edns0" }] });
        Assert.Equal(["1.1.1.1"], dns.Config.Servers);
        Assert.Equal(["a.b"], dns.Config.Searches);
        Assert.Equal(["ndots:2", "edns0"], dns.Config.Options);
    }

    [Fact]
    public void What_exceeds_the_limits_is_dropped_with_upstreams_words()
    {
        PodDns dns = Build("None", own: new PodDNSConfig { Nameservers = ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"], Searches = [.. Enumerable.Range(0, 33).Select(i => $"s{i}")] });
        Assert.Equal(3, dns.Config.Servers.Count);
        Assert.Equal(32, dns.Config.Searches.Count);
        Assert.Equal("Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3", dns.Warnings[0]);
        Assert.StartsWith("Search Line limits were exceeded, some search paths have been omitted, the applied search line is: s0 s1", dns.Warnings[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, "web", "")]
    [InlineData("own", null, "own", "")]
    [InlineData("own", "sub", "own", "sub.default.svc.cluster.local")]
    public void Host_name_and_domain_come_from_the_spec(string? hostname, string? subdomain, string name, string domain)
    {
        Pod pod = TestPods.Pod();
        Assert.Equal((name, domain), PodHostname.Of(pod with { Spec = pod.Spec with { Hostname = hostname, Subdomain = subdomain } }, "cluster.local"));
    }

    [Fact]
    public void A_long_name_is_cut_to_63_characters_without_a_dash_at_the_end() =>
        Assert.Equal(new string('a', 62), PodHostname.Of(TestPods.Pod(new string('a', 62) + "-tail"), "cluster.local").Hostname);

    [Fact]
    public void A_whole_name_that_the_kernel_cannot_hold_is_an_error()
    {
        Pod pod = TestPods.Pod(new string('a', 60));
        FormatException e = Assert.Throws<FormatException>(
            () => PodHostname.ForSandbox(pod with { Spec = pod.Spec with { Subdomain = "sub", SetHostnameAsFQDN = true } }, "cluster.local"));
        Assert.Contains("is too long (64 characters is the max, 90 characters requested)", e.Message, StringComparison.Ordinal);
    }
}
