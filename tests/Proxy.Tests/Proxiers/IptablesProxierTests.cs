using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tests.Rulesets;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Testing;

namespace NodeAgent.Proxy.Tests.Proxiers;

public sealed class IptablesProxierTests
{
    private static readonly IptablesOptions Options = new()
    {
        Family = IPFamily.IPv4,
        LocalTraffic = LocalTrafficDetector.ByCidr("10.244.0.0/16"),
        LocalhostNodePorts = true,
    };

    private readonly FakeIptables _kernel = new();
    private readonly ProxyState _state = new(IPFamily.IPv4);

    private IptablesProxier New() => Make(_state, _kernel);

    private static IptablesProxier Make(ProxyState state, FakeIptables kernel, bool direct = false) =>
        new(state, Options with { DirectEndpoints = direct }, kernel, "node1", new FakeTimeProvider(), NullLogger<IptablesProxier>.Instance);

    [Fact]
    public async Task A_service_with_two_endpoints_is_balanced_over_both()
    {
        _state.SetService(TestServices.Service("web"));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5", "10.244.0.6"));
        Assert.True(await New().SyncAsync(default));
        var name = new ServicePortName(new ServiceName("ns", "web"), "p80", "tcp");
        string chain = ChainNames.Cluster(name);
        Assert.Equal(
            $"-m comment --comment \"ns/web:p80 cluster IP\" -m tcp -p tcp -d 10.96.0.10 --dport 80 -j {chain}", _kernel.Rules("nat", "KUBE-SERVICES")[0]);
        Assert.Equal(
            [
                "-m comment --comment \"ns/web:p80 cluster IP\" -m tcp -p tcp -d 10.96.0.10 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ",
                $"-m comment --comment \"ns/web:p80 -> 10.244.0.5:8080\" -m statistic --mode random --probability 0.5000000000 -j {ChainNames.Endpoint(name, "10.244.0.5:8080")}",
                $"-m comment --comment \"ns/web:p80 -> 10.244.0.6:8080\" -j {ChainNames.Endpoint(name, "10.244.0.6:8080")}",
            ],
            _kernel.Rules("nat", chain));
        Assert.Equal(
            ["-m comment --comment ns/web:p80 -s 10.244.0.5 -j KUBE-MARK-MASQ", "-m comment --comment ns/web:p80 -m tcp -p tcp -j DNAT --to-destination 10.244.0.5:8080"],
            _kernel.Rules("nat", ChainNames.Endpoint(name, "10.244.0.5:8080")));
    }

    [Fact]
    public async Task A_service_without_endpoints_is_refused_and_not_balanced()
    {
        _state.SetService(TestServices.Service("web", nodePort: 30080));
        Assert.True(await New().SyncAsync(default));
        Assert.Equal(
            ["-m comment --comment \"ns/web:p80 has no endpoints\" -m tcp -p tcp -d 10.96.0.10 --dport 80 -j REJECT"], _kernel.Rules("filter", "KUBE-SERVICES"));
        Assert.Contains("--dport 30080 -j REJECT", _kernel.Rules("filter", "KUBE-EXTERNAL-SERVICES").Single(), StringComparison.Ordinal);
        Assert.DoesNotContain(_kernel.Chains("nat"), c => c.StartsWith("KUBE-SVC", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Local_policy_keeps_the_source_and_drops_where_nothing_is_local()
    {
        _state.SetService(TestServices.Service("web", nodePort: 30080, external: "Local"));
        _state.SetSlice(TestServices.Slice("web", "10.244.1.5"));
        Assert.True(await New().SyncAsync(default));
        Assert.Contains("has no local endpoints\" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 30080 -j DROP", _kernel.Rules("filter", "KUBE-EXTERNAL-SERVICES").Single(), StringComparison.Ordinal);
        string external = ChainNames.External(new ServicePortName(new ServiceName("ns", "web"), "p80", "tcp"));
        Assert.Equal(3, _kernel.Rules("nat", external).Count);
    }

    [Fact]
    public async Task One_endpoint_of_many_services_rewrites_only_its_own_chains()
    {
        for (int i = 0; i < 200; i++)
        {
            _state.SetService(TestServices.Service($"web{i}", $"10.96.1.{i}"));
            _state.SetSlice(TestServices.Slice($"web{i}", "10.244.0.5", "10.244.0.6"));
        }

        IptablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        _state.SetSlice(TestServices.Slice("web7", "10.244.0.5", "10.244.0.9"));
        Assert.True(await proxier.SyncAsync(default));
        string sent = _kernel.Inputs[^1];
        Assert.DoesNotContain("*filter", sent, StringComparison.Ordinal);
        Assert.DoesNotContain(":KUBE-SERVICES", sent, StringComparison.Ordinal);
        Assert.Equal(3, sent.Split('\n').Count(l => l.StartsWith(':')));
        Assert.Single(sent.Split('\n'), l => l.StartsWith("-X KUBE-SEP-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_change_that_changes_no_rule_sends_nothing()
    {
        _state.SetService(TestServices.Service("web"));
        IptablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        int before = _kernel.Inputs.Count;
        _state.SetService(TestServices.Service("web"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(before, _kernel.Inputs.Count);
    }

    [Fact]
    public async Task A_removed_service_leaves_no_chain()
    {
        IptablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        string empty = _kernel.Text();
        _state.SetService(TestServices.Service("web", nodePort: 30080));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5!"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.NotEqual(empty, _kernel.Text());
        _state.RemoveService(new ServiceName("ns", "web"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(empty, _kernel.Text());
    }

    [Fact]
    public async Task After_a_failure_everything_is_written_again()
    {
        _state.SetService(TestServices.Service("web"));
        _kernel.Fail = true;
        IptablesProxier proxier = New();
        Assert.False(await proxier.SyncAsync(default));
        _kernel.Fail = false;
        Assert.True(await proxier.SyncAsync(default));
        Assert.NotEmpty(_kernel.Rules("nat", "KUBE-POSTROUTING"));
        Assert.Single(_kernel.Rules("filter", "KUBE-SERVICES"));
    }

    [Fact]
    public async Task A_flush_by_somebody_else_is_noticed_and_repaired()
    {
        _state.SetService(TestServices.Service("web"));
        IptablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        string before = _kernel.Text();
        Assert.False(await proxier.CheckCanaryAsync(default));
        _kernel.Flush();
        Assert.True(await proxier.CheckCanaryAsync(default));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(before, _kernel.Text());
    }

    [Theory]
    [InlineData("nat", "KUBE-SERVICES")]
    [InlineData("nat", "PREROUTING")]
    [InlineData("filter", "FORWARD")]
    public async Task A_chain_that_others_empty_and_do_not_delete_is_noticed_and_filled_again(string table, string chain)
    {
        _state.SetService(TestServices.Service("web", nodePort: 30080));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
        IptablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        Assert.False(await proxier.CheckCanaryAsync(default));
        string before = _kernel.Text();
        _kernel.Rules(table, chain).Clear();
        Assert.True(await proxier.CheckCanaryAsync(default));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(before, _kernel.Text());
        Assert.False(await proxier.CheckCanaryAsync(default));
    }

    [Fact]
    public async Task Cleanup_leaves_only_the_firewall_chain_shared_with_the_kubelet()
    {
        _state.SetService(TestServices.Service("web", nodePort: 30080));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
        Assert.True(await New().SyncAsync(default));
        await IptablesCleanup.RunAsync(_kernel, IPFamily.IPv4, default);
        Assert.Equal(["KUBE-FIREWALL"], _kernel.Chains("filter").Concat(_kernel.Chains("nat")).Concat(_kernel.Chains("mangle")).Where(c => c.StartsWith("KUBE", StringComparison.Ordinal)));
        Assert.All(["INPUT", "FORWARD", "OUTPUT"], c => Assert.DoesNotContain(_kernel.Rules("filter", c), r => r.Contains("KUBE-SERVICES", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Without_affinity_endpoints_need_no_chains_and_one_rule_finds_what_comes_back_to_its_sender()
    {
        _state.SetService(TestServices.Service("web"));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5", "10.244.0.6"));
        IptablesProxier proxier = Make(_state, _kernel, direct: true);
        Assert.True(await proxier.SyncAsync(default));
        Assert.DoesNotContain(_kernel.Chains("nat"), c => c.StartsWith("KUBE-SEP-", StringComparison.Ordinal));
        Assert.Equal("-m comment --comment \"ns/web:p80 -> 10.244.0.6:8080\" -m tcp -p tcp -j DNAT --to-destination 10.244.0.6:8080",
            _kernel.Rules("nat", ChainNames.Cluster(new ServicePortName(new ServiceName("ns", "web"), "p80", "tcp")))[^1]);
        Assert.Contains("-m bpf --bytecode \"7,32 0 0 16,2 0 0 0,32 0 0 12,97 0 0 0,29 0 1 0,6 0 0 65535,6 0 0 0\" -j MASQUERADE", _kernel.Rules("nat", "KUBE-POSTROUTING")[0], StringComparison.Ordinal);
        Service service = TestServices.Service("web");
        _state.SetService(service with { Spec = service.Spec! with { SessionAffinity = "ClientIP" } });
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(2, _kernel.Chains("nat").Count(c => c.StartsWith("KUBE-SEP-", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Any_sequence_of_changes_ends_where_programming_from_nothing_ends(bool direct)
    {
        var change = Gen.Choose(0, 7).SelectMany(kind => Gen.Choose(0, 4).SelectMany(service => Gen.Choose(0, 7).Select(bits => (kind, service, bits))));
        Prop.ForAll(Gen.ListOf(change).ToArbitrary(), changes =>
        {
            var kernel = new FakeIptables();
            var state = new ProxyState(IPFamily.IPv4);
            IptablesProxier proxier = Make(state, kernel, direct);
            foreach ((int kind, int service, int bits) in changes)
            {
                Apply(state, kind, service, bits);
                kernel.Fail = bits == 7;
                // Where nothing is to be sent nothing fails.
                Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult() || kernel.Fail);
                kernel.Fail = false;
                if (bits == 6)
                {
                    // A restart: what is programmed is known from the kernel alone.
                    state.RequestFull();
                    proxier = Make(state, kernel, direct);
                }
            }

            Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult());

            state.RequestFull();
            var fresh = new FakeIptables();
            Assert.True(Make(state, fresh, direct).SyncAsync(default).GetAwaiter().GetResult());
            Assert.Equal(fresh.Text(), kernel.Text());
        }).QuickCheckThrowOnFailure();
    }

    private static void Apply(ProxyState state, int kind, int service, int bits)
    {
        string name = $"web{service}";
        string[] addresses = [.. Enumerable.Range(0, 3).Where(i => (bits >> i & 1) != 0).Select(i => i == 0 ? "10.244.0.10!" : $"10.244.0.{10 + i}")];
        switch (kind)
        {
            case 0: state.SetService(TestServices.Service(name, $"10.96.0.{service + 1}")); break;
            case 1: state.SetService(TestServices.Service(name, $"10.96.0.{service + 1}", nodePort: 30000 + service, external: "Local")); break;
            case 2: state.RemoveService(new ServiceName("ns", name)); break;
            case 3: state.RemoveSlice(TestServices.Slice(name)); break;
            case 6: state.SetService(Changed(TestServices.Service(name, $"10.96.0.{service + 1}"), s => s with { SessionAffinity = "ClientIP" })); break;
            case 7: state.SetService(Changed(TestServices.Service(name, $"10.96.0.{service + 1}"), s => s with { ExternalIPs = [$"192.0.2.{bits % 3}"], InternalTrafficPolicy = bits > 3 ? "Local" : "Cluster" })); break;
            default: state.SetSlice(TestServices.Slice(name, addresses)); break;
        }
    }

    private static Service Changed(Service service, Func<ServiceSpec, ServiceSpec> change) => service with { Spec = change(service.Spec!) };
}
