using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Harness.Networks;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.NfTables;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tests.Packets;
using NodeAgent.Proxy.Tests.Rulesets;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Kernel;

/// <summary>What we send, as the kernel and the nft program see it. In network namespaces of their own.</summary>
public sealed class NftKernelTests : IDisposable
{
    private static int _count;
    private readonly NetworkNamespace _ns = new($"nk{Environment.ProcessId % 10000}n{Interlocked.Increment(ref _count)}");

    public static TheoryData<IPFamily> Families => [IPFamily.IPv4, IPFamily.IPv6];

    public void Dispose() => _ns.Dispose();

    [NftTheory]
    [MemberData(nameof(Families))]
    public void The_nft_program_lists_what_we_send_as_what_it_makes_of_our_text(IPFamily family)
    {
        using NftKernel kernel = Open(family);
        foreach (NftChange change in NftCorpus.Changes(family))
        {
            kernel.Apply(change);
        }

        string ours = List(_ns, family);
        using var other = new NetworkNamespace(_ns.Name + "x");
        string script = Path.GetTempFileName();
        File.WriteAllText(script, NftScript.From(NftCorpus.Changes(family), family));
        other.Exec("nft", "-f", script);
        File.Delete(script);
        Assert.Equal(NftScript.Facts(List(other, family)), NftScript.Facts(ours));
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public async Task A_restarted_proxier_finds_everything_in_place_and_keeps_every_slot(IPFamily family)
    {
        using NftKernel kernel = Open(family);
        ProxyState state = ClusterCorpus.State(family);
        Assert.True(await New(state, kernel).SyncAsync(default));
        string before = List(_ns, family);
        state.RequestFull();
        var counting = new CountingKernel(kernel);
        Assert.True(await New(state, counting).SyncAsync(default));
        Assert.Equal(NftScript.Facts(before), NftScript.Facts(List(_ns, family)));
        Assert.Equal((0, 0), (counting.Added, counting.Deleted));
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public async Task Services_that_go_leave_what_a_first_pass_without_them_makes(IPFamily family)
    {
        using NftKernel kernel = Open(family);
        ProxyState empty = new(family), state = ClusterCorpus.State(family);
        Assert.True(await New(empty, kernel).SyncAsync(default));
        string before = List(_ns, family);
        NftablesProxier proxier = New(state, kernel);
        Assert.True(await proxier.SyncAsync(default));
        foreach (ServiceName name in state.Services)
        {
            state.RemoveService(name);
        }

        Assert.True(await proxier.SyncAsync(default));
        state.RequestFull();
        Assert.True(await New(state, kernel).SyncAsync(default));
        Assert.Equal(NftScript.Facts(before), NftScript.Facts(List(_ns, family)));
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public async Task Changes_of_others_are_told_and_repaired_and_our_own_are_not_told(IPFamily family)
    {
        using NftKernel kernel = Open(family);
        ProxyState state = ClusterCorpus.State(family);
        NftablesProxier proxier = New(state, kernel);
        using var told = new SemaphoreSlim(0);
        string? process = null;
        kernel.Watch(c =>
        {
            process = c.Process;
            told.Release();
        });
        Assert.True(await proxier.SyncAsync(default));
        string before = List(_ns, family);
        string table = family == IPFamily.IPv4 ? "ip" : "ip6";
        _ns.Exec("nft", "add", "table", table, "other");
        foreach (string change in (string[])["flush chain {0} kube-proxy services", "flush map {0} kube-proxy service-ips", "delete table {0} kube-proxy", "flush ruleset"])
        {
            Assert.Equal(0, told.CurrentCount);
            _ns.Exec(["nft", .. string.Format(System.Globalization.CultureInfo.InvariantCulture, change, table).Split(' ')]);
            Assert.True(await told.WaitAsync(TimeSpan.FromSeconds(10)), change);
            Assert.Equal("nft", process);
            proxier.TableChanged(process!);
            Assert.True(await proxier.SyncAsync(default));
            Assert.Equal(NftScript.Facts(before), NftScript.Facts(List(_ns, family)));
        }
    }

    [NftTheory]
    [InlineData(null, true)]
    [InlineData("flush ruleset", false)]
    [InlineData("delete element ip kube-proxy cluster-ips { 10.96.0.1 }", false)]
    public async Task What_others_change_between_the_first_pass_and_the_beginning_of_the_watch_is_not_missed(string? change, bool untouched)
    {
        NftTransactions transactions = new();
        using NftKernel kernel = Open(IPFamily.IPv4, transactions), sixth = Open(IPFamily.IPv6, transactions);
        ProxyState state = new(IPFamily.IPv4);
        state.SetService(TestServices.Service("web", "10.96.0.1"));
        state.SetSlice(TestServices.Slice("web", "10.244.0.10"));
        Assert.True(await New(state, kernel).SyncAsync(default));
        // The other family's transactions are ours too.
        Assert.True(await New(ClusterCorpus.State(IPFamily.IPv6), sixth).SyncAsync(default));
        if (change is not null)
        {
            _ns.Exec(["nft", change]);
        }

        Assert.Equal(untouched, kernel.Watch(_ => { }));
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public async Task A_table_that_went_unnoticed_is_made_again_in_the_same_pass(IPFamily family)
    {
        using NftKernel kernel = Open(family);
        ProxyState state = ClusterCorpus.State(family);
        NftablesProxier proxier = New(state, kernel);
        Assert.True(await proxier.SyncAsync(default));
        string before = List(_ns, family);
        _ns.Exec("nft", "flush", "ruleset");
        state.SetService(TestServices.Service("late"));
        state.RemoveService(new ServiceName("ns", "plain"));
        state.SetService(state.Family == IPFamily.IPv4 ? TestServices.Service("late") : TestServices.Service("late", "fd00:96::99"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.NotEqual(NftScript.Facts(before), NftScript.Facts(List(_ns, family)));
        Assert.Contains("service-endpoints", List(_ns, family), StringComparison.Ordinal);
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public async Task A_table_of_other_kinds_is_replaced_and_cleanup_leaves_nothing(IPFamily family)
    {
        string table = family == IPFamily.IPv4 ? "ip" : "ip6";
        _ns.Exec("nft", "add", "table", table, "kube-proxy");
        _ns.Exec("nft", "add", "set", table, "kube-proxy", "service-ips", "{ type inet_service ; }");
        using NftKernel kernel = Open(family);
        Assert.True(await New(ClusterCorpus.State(family), kernel).SyncAsync(default));
        Assert.Contains("service-endpoints/3", List(_ns, family), StringComparison.Ordinal);
        Assert.True(kernel.DeleteTable());
        Assert.False(kernel.DeleteTable());
        Assert.Equal("", _ns.Exec("nft", "list", "ruleset"));
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public async Task A_new_affinity_time_makes_the_sets_anew(IPFamily family)
    {
        using NftKernel kernel = Open(family);
        ProxyState state = ClusterCorpus.State(family);
        NftablesProxier proxier = New(state, kernel);
        Assert.True(await proxier.SyncAsync(default));
        Kubernetes.Objects.Service service = TestServices.Service("sticky", family == IPFamily.IPv4 ? "10.96.0.5" : "fd00:96::5");
        state.SetService(service with
        {
            Spec = service.Spec! with
            {
                IpFamilies = [family.ToString()],
                Ports = [new Kubernetes.Objects.ServicePort { Name = "web", Port = 80, Protocol = "TCP" }],
                SessionAffinity = "ClientIP",
                SessionAffinityConfig = new Kubernetes.Objects.SessionAffinityConfig { ClientIP = new Kubernetes.Objects.ClientIPConfig { TimeoutSeconds = 77 } },
            },
        });
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("timeout 1m17s", List(_ns, family), StringComparison.Ordinal);
        Assert.DoesNotContain("sticky/udp", List(_ns, family), StringComparison.Ordinal);
    }

    [NftTheory]
    [MemberData(nameof(Families))]
    public void A_refusal_names_the_object_and_changes_nothing(IPFamily family)
    {
        using NftConnection connection = _ns.Within(NftConnection.Open);
        var batch = new NftBatch(family == IPFamily.IPv4 ? NftFamily.IPv4 : NftFamily.IPv6, "kube-proxy");
        batch.AddTable();
        batch.AddChain("a");
        batch.FlushChain("missing");
        NetlinkException refused = Assert.Throws<NetlinkException>(() => connection.Execute(batch));
        Assert.Equal(2, refused.Errno);
        Assert.Contains("flush chain missing", refused.Message, StringComparison.Ordinal);
        Assert.Equal("", _ns.Exec("nft", "list", "ruleset"));
    }

    private NftKernel Open(IPFamily family, NftTransactions? transactions = null) => new(family, () => _ns.Within(() => NetlinkSocket.Open()), transactions);

    private static NftablesProxier New(ProxyState state, INftKernel kernel) =>
        new(state, NftCorpus.Options(state.Family), kernel, "node1", TimeProvider.System, NullLogger<NftablesProxier>.Instance);

    private static string List(NetworkNamespace ns, IPFamily family) => ns.Exec("nft", "-s", "list", "table", family == IPFamily.IPv4 ? "ip" : "ip6", "kube-proxy");

    private sealed class CountingKernel(INftKernel kernel) : INftKernel
    {
        public int Added { get; private set; }

        public int Deleted { get; private set; }

        public NftObserved Read() => kernel.Read();

        public bool Remove(NftLeftovers leftovers) => kernel.Remove(leftovers);

        public void Apply(NftChange change)
        {
            Added += change.Add.Count;
            Deleted += change.Delete.Count;
            kernel.Apply(change);
        }
    }
}
