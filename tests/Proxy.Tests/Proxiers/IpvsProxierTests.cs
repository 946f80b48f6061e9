using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tests.Rulesets;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Testing;

namespace NodeAgent.Proxy.Tests.Proxiers;

public sealed class IpvsProxierTests
{
    private static readonly IpvsOptions Options = new() { Family = IPFamily.IPv4, LocalTraffic = LocalTrafficDetector.ByCidr("10.244.0.0/16"), NodeIP = "192.0.1.9" };
    private static readonly VirtualServerKey Web = new("10.96.0.10", 80, "tcp");
    private static readonly RealServer Five = new("10.244.0.5", 8080), Six = new("10.244.0.6", 8080);

    private readonly FakeIpvsKernel _kernel = new(IPFamily.IPv4);
    private readonly FakeIptables _iptables = new();
    private readonly ProxyState _state = new(IPFamily.IPv4);

    [Fact]
    public async Task A_service_is_a_virtual_server_on_an_address_of_our_link()
    {
        await WebAsync("10.244.0.5", "10.244.0.6");
        Assert.Contains("-A 10.96.0.10:80/tcp -s rr flags 0 timeout 0\n  -r 10.244.0.5 8080 weight 1\n  -r 10.244.0.6 8080 weight 1\n", _kernel.Text(), StringComparison.Ordinal);
        Assert.Contains("add KUBE-CLUSTER-IP 10.96.0.10,tcp:80\n", _kernel.Text(), StringComparison.Ordinal);
        Assert.Contains("add KUBE-IPVS-IPS 10.96.0.10\n", _kernel.Text(), StringComparison.Ordinal);
        Assert.Contains("link 10.96.0.10\n", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_without_endpoints_keeps_its_virtual_server_empty_so_that_the_kernel_refuses()
    {
        await WebAsync();
        Assert.True(_kernel.Has(Web));
        Assert.Empty(_kernel.Reals(Web));
    }

    [Fact]
    public async Task A_second_pass_does_nothing_and_writes_no_rule()
    {
        await WebAsync("10.244.0.5");
        (int steps, int inputs) = (_kernel.Steps.Count, _iptables.Inputs.Count);
        Assert.True(await New().SyncAsync(default));
        Assert.Equal(steps, _kernel.Steps.Count);
        // A new proxier knows nothing of what was written, the one that wrote it does.
        Assert.Equal(inputs + 1, _iptables.Inputs.Count);
    }

    [Fact]
    public async Task A_real_server_with_connections_takes_no_new_ones_and_goes_when_they_have_ended()
    {
        IpvsProxier proxier = await WebAsync("10.244.0.5", "10.244.0.6");
        _kernel.Connect(Web, Five, 3);
        _state.SetSlice(TestServices.Slice("web", "10.244.0.6"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal((0, 1), (_kernel.Weight(Web, Five), proxier.Draining));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains(Five, _kernel.Reals(Web));
        _kernel.Connect(Web, Five, 0);
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal([Six], _kernel.Reals(Web));
        Assert.Equal(0, proxier.Draining);
    }

    [Fact]
    public async Task A_draining_real_server_that_is_wanted_again_gets_its_weight_back_also_from_another_process()
    {
        IpvsProxier proxier = await WebAsync("10.244.0.5", "10.244.0.6");
        _kernel.Connect(Web, Five, 3);
        _state.SetSlice(TestServices.Slice("web", "10.244.0.6"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(0, _kernel.Weight(Web, Five));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5", "10.244.0.6"));
        Assert.True(await New().SyncAsync(default));
        Assert.Equal(1, _kernel.Weight(Web, Five));
    }

    [Fact]
    public async Task A_real_server_of_UDP_goes_at_once()
    {
        Service service = TestServices.Service("dns", port: 53);
        _state.SetService(service with { Spec = service.Spec! with { Ports = [service.Spec.Ports[0] with { Protocol = "UDP" }] } });
        SliceState slice = TestServices.Slice("dns", "10.244.0.5", "10.244.0.6") with { Ports = [new SlicePort("p80", "udp", 8080)] };
        _state.SetSlice(slice);
        IpvsProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        var key = new VirtualServerKey("10.96.0.10", 53, "udp");
        _kernel.Connect(key, Five, 9);
        _state.SetSlice(slice with { Endpoints = slice.Endpoints.RemoveAt(0) });
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal([Six], _kernel.Reals(key));
    }

    [Fact]
    public async Task Foreign_virtual_servers_go_but_those_of_excluded_ranges()
    {
        VirtualServerKey kept = new("203.0.113.5", 80, "tcp"), gone = new("198.51.100.5", 80, "tcp");
        _kernel.Foreign(kept);
        _kernel.Foreign(gone);
        Assert.True(await New(Options with { ExcludeCidrs = ["fd00::/8", "203.0.113.0/24"] }).SyncAsync(default));
        Assert.Equal((true, false), (_kernel.Has(kept), _kernel.Has(gone)));
    }

    [Fact]
    public async Task What_somebody_else_removed_comes_back_with_the_next_pass()
    {
        IpvsProxier proxier = await WebAsync("10.244.0.5");
        string before = _kernel.Text() + _iptables.Text();
        _kernel.Lose(Web);
        _iptables.Flush();
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(before, _kernel.Text() + _iptables.Text());
    }

    [Fact]
    public async Task Session_affinity_is_persistence_and_changes_in_place()
    {
        IpvsProxier proxier = await WebAsync("10.244.0.5");
        Service service = TestServices.Service("web");
        _state.SetService(service with { Spec = service.Spec! with { SessionAffinity = "ClientIP" } });
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("-A 10.96.0.10:80/tcp -s rr flags 1 timeout 10800\n  -r 10.244.0.5", _kernel.Text(), StringComparison.Ordinal);
        Assert.Single(_kernel.Steps.OfType<IpvsStep.UpdateServer>());
        Assert.Empty(_kernel.Steps.OfType<IpvsStep.RemoveServer>());
    }

    [Fact]
    public async Task The_scheduler_mh_takes_the_port_too()
    {
        _state.SetService(TestServices.Service("web"));
        Assert.True(await New(Options with { Scheduler = "mh" }).SyncAsync(default));
        Assert.Contains("-s mh flags 16 timeout 0", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_node_port_answers_on_the_chosen_addresses_of_other_links()
    {
        _kernel.NodeAddresses.Add("192.0.2.1");
        _state.SetService(TestServices.Service("web", nodePort: 30080));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
        var proxier = new IpvsProxier(_state, Options, _kernel, _iptables, "node1", new FakeTimeProvider(), NullLogger<IpvsProxier>.Instance)
        {
            NodePortAddresses = all => [.. all.Where(a => a.StartsWith("192.0.2.", StringComparison.Ordinal))],
        };
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal((true, false), (_kernel.Has(new("192.0.2.1", 30080, "tcp")), _kernel.Has(new("192.0.1.9", 30080, "tcp"))));
        Assert.Contains("add KUBE-NODE-PORT-TCP 30080\n", _kernel.Text(), StringComparison.Ordinal);
        Assert.DoesNotContain("link 10.96.0.10 192", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_external_address_that_another_link_has_is_served_and_not_put_on_ours()
    {
        Service service = TestServices.Service("web");
        _state.SetService(service with { Spec = service.Spec! with { ExternalIPs = ["192.0.1.9", "192.0.8.1"] } });
        Assert.True(await New().SyncAsync(default));
        Assert.True(_kernel.Has(new("192.0.1.9", 80, "tcp")));
        Assert.Contains("link 10.96.0.10 192.0.8.1\n", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Policy_Local_without_a_local_endpoint_takes_all_of_them_and_is_counted_once_for_a_service()
    {
        _state.SetService(TestServices.Service("web", nodePort: 30080, external: "Local"));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
        IpvsProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal([Five], _kernel.Reals(new("192.0.1.9", 30080, "tcp")));
        Assert.Equal((0, 1), proxier.Dropped);
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5", "10.244.0.6!"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal([Six], _kernel.Reals(new("192.0.1.9", 30080, "tcp")));
        Assert.Equal([Five, Six], _kernel.Reals(Web));
        Assert.Equal((0, 0), proxier.Dropped);
    }

    [Fact]
    public async Task A_step_that_fails_holds_up_no_other_and_fails_the_pass()
    {
        _kernel.Refuse = typeof(IpvsStep.Bind);
        _state.SetService(TestServices.Service("web"));
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
        IpvsProxier proxier = New();
        List<ProxyPass> passes = [];
        proxier.Passed += passes.Add;
        Assert.False(await proxier.SyncAsync(default));
        Assert.Equal([Five], _kernel.Reals(Web));
        Assert.Contains("10.96.0.10", Assert.Single(passes).Error, StringComparison.Ordinal);
        _kernel.Refuse = null;
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("link 10.96.0.10\n", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_iptables_refuses_nothing_is_removed_yet()
    {
        IpvsProxier proxier = await WebAsync("10.244.0.5");
        ProxyPass? last = null;
        proxier.Passed += p => last = p;
        _iptables.Fail = true;
        _state.RemoveService(new ServiceName("ns", "web"));
        Assert.False(await proxier.SyncAsync(default));
        Assert.Equal((true, true), (_kernel.Has(Web), last!.RestoreFailed));
        _iptables.Fail = false;
        Assert.True(await proxier.SyncAsync(default));
        Assert.False(_kernel.Has(Web));
    }

    [Fact]
    public async Task Cleanup_of_ipvs_then_of_iptables_leaves_no_rule()
    {
        string empty = _iptables.Text();
        await WebAsync("10.244.0.5");
        await _iptables.RestoreAsync(IpvsCleanup.Render(IptablesObserved.Parse(_iptables.Text())), default);
        await IptablesCleanup.RunAsync(_iptables, IPFamily.IPv4, default);
        Assert.Equal(empty, _iptables.Text());
        Assert.Equal("", IpvsCleanup.Render(IptablesObserved.Parse(_iptables.Text())));
    }

    [Fact]
    public async Task Cleanup_of_ipvs_does_not_touch_the_rules_of_iptables_mode()
    {
        _state.SetService(TestServices.Service("web"));
        await new IptablesProxier(_state, new IptablesOptions { Family = IPFamily.IPv4 }, _iptables, "node1", new FakeTimeProvider(), NullLogger<IptablesProxier>.Instance).SyncAsync(default);
        Assert.Equal("", IpvsCleanup.Render(IptablesObserved.Parse(_iptables.Text())));
    }

    [Fact]
    public void Names_of_IPv6_sets_are_cut_to_31_characters()
    {
        string[] names = [.. IpvsSets.All.Select(s => IpvsSets.NameIn(IPFamily.IPv6, s.Name))];
        Assert.Contains("KUBE-6-LOAD-BALANCER-SOURCE-CID", names);
        Assert.Contains("KUBE-6-NODE-PORT-LOCAL-SCTP-HAS", names);
        Assert.Equal(17, names.Distinct().Count(n => n.Length <= 31));
    }

    [Fact]
    public void Settings_follow_the_kernels_version_and_strictARP()
    {
        string[] Names(string release, bool strict) =>
            [.. IpvsSettings.Plan(new KubeProxyConfiguration { IpvsStrictARP = strict }, IpvsSettings.VersionOf(release)).Select(s => $"{s.File["proc/sys/net/ipv4/".Length..]}={s.Value}")];
        Assert.Equal(["vs/conntrack=1", "vs/expire_nodest_conn=1", "vs/expire_quiescent_template=1", "ip_forward=1"], Names("6.1.0-50-cloud-amd64", false));
        Assert.Equal(["vs/conntrack=1", "vs/conn_reuse_mode=0", "vs/expire_nodest_conn=1", "vs/expire_quiescent_template=1", "ip_forward=1"], Names("5.4.0", false));
        Assert.Equal(["conf/all/arp_ignore=1", "conf/all/arp_announce=2"], Names("6.1", true)[^2..]);
    }

    [Fact]
    public void Any_sequence_of_changes_ends_where_programming_from_nothing_ends()
    {
        Prop.ForAll(StateChange.Sequences(), changes =>
        {
            (FakeIpvsKernel kernel, FakeIptables iptables, ProxyState state) = (new(IPFamily.IPv4), new(), new(IPFamily.IPv4));
            IpvsProxier proxier = Make(state, kernel, iptables);
            foreach (StateChange change in changes)
            {
                change.ApplyTo(state);
                Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult());
                proxier = change.Bits == 15 ? Make(state, kernel, iptables) : proxier;
            }

            Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult());
            (FakeIpvsKernel fresh, FakeIptables freshIptables) = (new(IPFamily.IPv4), new());
            Assert.True(Make(state, fresh, freshIptables).SyncAsync(default).GetAwaiter().GetResult());
            Assert.Equal(fresh.Text() + freshIptables.Text(), kernel.Text() + iptables.Text());
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task When_every_service_is_gone_no_server_no_entry_and_no_address_is_left()
    {
        foreach (IPFamily family in Enum.GetValues<IPFamily>())
        {
            ProxyState state = ClusterCorpus.State(family);
            (FakeIpvsKernel kernel, FakeIptables iptables) = (new(family), new());
            IpvsProxier proxier = Make(state, kernel, iptables, Options with { Family = family });
            Assert.True(await proxier.SyncAsync(default));
            foreach (ServiceName name in state.Services)
            {
                state.RemoveService(name);
            }

            Assert.True(await proxier.SyncAsync(default));
            Assert.DoesNotContain("-A ", kernel.Text(), StringComparison.Ordinal);
            Assert.DoesNotContain("add ", kernel.Text(), StringComparison.Ordinal);
            Assert.EndsWith("link \n", kernel.Text(), StringComparison.Ordinal);
        }
    }

    private async Task<IpvsProxier> WebAsync(params string[] endpoints)
    {
        _state.SetService(TestServices.Service("web"));
        _state.SetSlice(TestServices.Slice("web", endpoints));
        IpvsProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        int inputs = _iptables.Inputs.Count;
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(inputs, _iptables.Inputs.Count);
        return proxier;
    }

    private IpvsProxier New(IpvsOptions? options = null) => Make(_state, _kernel, _iptables, options);

    private static IpvsProxier Make(ProxyState state, FakeIpvsKernel kernel, FakeIptables iptables, IpvsOptions? options = null) =>
        new(state, options ?? Options, kernel, iptables, "node1", new FakeTimeProvider(), NullLogger<IpvsProxier>.Instance);
}
