using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Rulesets;

public sealed class ChainNamesTests
{
    [Theory]
    [InlineData("ns1", "svc1", "p80", "tcp", "KUBE-SVC-XPGD46QRK7WJZT7O")]
    [InlineData("default", "kubernetes", "https", "tcp", "KUBE-SVC-NPX46M4PTMTKRN6Y")]
    [InlineData("kube-system", "kube-dns", "dns", "udp", "KUBE-SVC-TCOU7JCQXEZGVUNU")]
    [InlineData("kube-system", "kube-dns", "dns-tcp", "tcp", "KUBE-SVC-ERIFXISQEP7F7OF4")]
    [InlineData("default", "web", "", "tcp", "KUBE-SVC-LOLE4ISW44XBNF3G")]
    public void Cluster_chains_have_upstreams_names(string ns, string name, string port, string protocol, string expected) =>
        Assert.Equal(expected, ChainNames.Cluster(new ServicePortName(new ServiceName(ns, name), port, protocol)));

    [Fact]
    public void Other_chains_have_upstreams_names()
    {
        var one = new ServicePortName(new ServiceName("ns1", "svc1"), "p80", "tcp");
        Assert.Equal("KUBE-SEP-SXIVWICOYRO3J4NJ", ChainNames.Endpoint(one, "10.180.0.1:80"));
        Assert.Equal("KUBE-SEP-OGYCNMB4EMRUSJ6N", ChainNames.Endpoint(one, "[fd00:10:180::1]:80"));
        Assert.Equal("KUBE-EXT-GNZBNJ2PO5MGZ6GT", ChainNames.External(new ServicePortName(new ServiceName("ns2", "svc2"), "p80", "tcp")));
        Assert.Equal("KUBE-FW-NUKIZ6OKUXPJNT4C", ChainNames.Firewall(new ServicePortName(new ServiceName("ns5", "svc5"), "p80", "tcp")));
    }
}
