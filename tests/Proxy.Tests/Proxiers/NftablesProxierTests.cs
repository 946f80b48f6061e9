using System.Threading.Channels;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tests.Rulesets;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Testing;

namespace NodeAgent.Proxy.Tests.Proxiers;

public sealed class NftablesProxierTests
{
    private readonly FakeNftKernel _kernel = new(IPFamily.IPv4);
    private readonly ProxyState _state = new(IPFamily.IPv4);
    private readonly FakeTimeProvider _time = new();

    private NftablesProxier New() => Make(_state, _kernel, _time);

    private static NftablesProxier Make(ProxyState state, FakeNftKernel kernel, TimeProvider? time = null) =>
        new(state, NftCorpus.Options(IPFamily.IPv4), kernel, "node1", time ?? new FakeTimeProvider(), NullLogger<NftablesProxier>.Instance);

    [Fact]
    public async Task Another_endpoint_in_place_of_one_sends_one_element_and_touches_no_verdict()
    {
        NftablesProxier proxier = await WithServices(300);
        _state.SetSlice(TestServices.Slice("web7", "10.244.0.5", "10.244.0.9"));
        Assert.True(await proxier.SyncAsync(default));
        NftChange sent = _kernel.Changes[^1];
        Assert.Equal(NftContainer.ServiceEndpoints, Assert.Single(sent.Add).Container);
        Assert.Single(sent.Delete);
        Assert.Empty(sent.Write);
    }

    [Fact]
    public async Task One_endpoint_less_moves_at_most_the_last_one()
    {
        _state.SetService(TestServices.Service("web"));
        _state.SetSlice(TestServices.Slice("web", [.. Enumerable.Range(1, 50).Select(i => $"10.244.0.{i}")]));
        NftablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        _state.SetSlice(TestServices.Slice("web", [.. Enumerable.Range(2, 49).Select(i => $"10.244.0.{i}")]));
        Assert.True(await proxier.SyncAsync(default));
        NftChange sent = _kernel.Changes[^1];
        Assert.Equal([NftContainer.ServiceEndpoints, NftContainer.ServiceIPs], sent.Add.Select(a => a.Container).Order());
        Assert.Equal(3, sent.Delete.Count);
        Assert.Equal("service-endpoints/49", Assert.Single(sent.Write).Name);
    }

    [Fact]
    public async Task A_change_that_changes_no_rule_sends_nothing()
    {
        NftablesProxier proxier = await WithServices(3);
        int before = _kernel.Changes.Count;
        _state.SetService(TestServices.Service("web1", "10.96.1.1"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(before, _kernel.Changes.Count);
    }

    [Fact]
    public async Task Of_two_services_that_want_one_address_the_cluster_IP_wins_and_the_other_takes_over_when_it_goes()
    {
        _state.SetSlice(TestServices.Slice("thief", "10.244.0.66"));
        _state.SetSlice(TestServices.Slice("victim", "10.244.0.5"));
        Service thief = TestServices.Service("thief", "10.96.0.66");
        _state.SetService(thief with { Spec = thief.Spec! with { ExternalIPs = ["10.96.0.5"] } });
        NftablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("10.96.0.5 . tcp . 80 : 10.244.0.66", _kernel.Text(), StringComparison.Ordinal);
        _state.SetService(TestServices.Service("victim", "10.96.0.5"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("10.96.0.5 . tcp . 80 : 10.244.0.5 ", _kernel.Text(), StringComparison.Ordinal);
        Assert.DoesNotContain("10.96.0.5 . tcp . 80 : 10.244.0.66", _kernel.Text(), StringComparison.Ordinal);
        _state.RemoveService(new ServiceName("ns", "victim"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("10.96.0.5 . tcp . 80 : 10.244.0.66", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoints_that_two_services_share_stay_hairpins_until_both_are_gone()
    {
        foreach (string name in (string[])["a", "b"])
        {
            _state.SetService(TestServices.Service(name, name == "a" ? "10.96.0.1" : "10.96.0.2"));
            _state.SetSlice(TestServices.Slice(name, "10.244.0.5!"));
        }

        NftablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        _state.RemoveService(new ServiceName("ns", "a"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("hairpin-connections 10.244.0.5 . 10.244.0.5 . tcp . 8080", _kernel.Text(), StringComparison.Ordinal);
        _state.RemoveService(new ServiceName("ns", "b"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.DoesNotContain("hairpin-connections 10", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_transaction_is_tried_again_in_full_and_a_second_refusal_fails_the_pass()
    {
        NftablesProxier proxier = await WithServices(3);
        List<ProxyPass> passes = [];
        proxier.Passed += passes.Add;
        _kernel.Refuse = 16;
        _state.SetSlice(TestServices.Slice("web1", "10.244.0.77"));
        Assert.False(await proxier.SyncAsync(default));
        Assert.Equal([(false, false), (true, false)], passes.Select(p => (p.Full, p.Succeeded)));
        _kernel.Refuse = 0;
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("10.244.0.77", _kernel.Text(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Errno.EBUSY)]
    [InlineData(Errno.EAGAIN)]
    [InlineData(Errno.ERESTART)]
    [InlineData(Errno.ENOBUFS)]
    public async Task What_the_kernel_refuses_for_a_while_is_tried_again_ever_later_and_no_change_of_that_time_is_lost(int errno)
    {
        NftablesProxier proxier = await WithServices(6);
        Channel<DateTimeOffset> tries = Channel.CreateUnbounded<DateTimeOffset>();
        List<bool> done = [];
        BoundedFrequencyRunner runner = new(async cancellationToken =>
        {
            done.Add(await proxier.SyncAsync(cancellationToken));
            tries.Writer.TryWrite(_time.GetUtcNow());
            return done[^1];
        }, TimeSpan.Zero, TimeSpan.FromSeconds(30), TimeSpan.FromHours(1), _time);
        using CancellationTokenSource stop = new();
        Task loop = runner.LoopAsync(stop.Token);
        _kernel.Refuse = errno;
        _state.SetSlice(TestServices.Slice("web0", "10.244.0.70"));
        runner.Run();
        DateTimeOffset last = await tries.Reader.ReadAsync();
        List<double> waits = [];
        for (int i = 1; i < 5; i++)
        {
            // Who changes something asks for a run; here nobody does, so that only the failure leads to one.
            _state.SetSlice(TestServices.Slice($"web{i}", $"10.244.0.{70 + i}"));
            last = await BoundedFrequencyRunnerTests.NextAsync(tries.Reader, _time, last, waits);
        }

        _state.RemoveService(new ServiceName("ns", "web5"));
        _kernel.Refuse = 0;
        await BoundedFrequencyRunnerTests.NextAsync(tries.Reader, _time, last, waits);
        await stop.CancelAsync();
        await loop;
        Assert.Equal([1, 2, 4, 8, 16], waits);
        Assert.Equal([false, false, false, false, false, true], done);
        FakeNftKernel fresh = new(IPFamily.IPv4);
        _state.RequestFull();
        Assert.True(await Make(_state, fresh).SyncAsync(default));
        Assert.Equal(fresh.Text(withUnused: false), _kernel.Text(withUnused: false));
    }

    [Fact]
    public async Task A_table_deleted_by_others_is_made_again_with_the_next_change()
    {
        NftablesProxier proxier = await WithServices(3);
        string before = _kernel.Text();
        _kernel.DeleteTable();
        _state.SetSlice(TestServices.Slice("web1", "10.244.0.77", "10.244.0.78"));
        Assert.True(await proxier.SyncAsync(default));
        _state.SetSlice(TestServices.Slice("web1", "10.244.0.5", "10.244.0.6"));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Equal(before, _kernel.Text());
    }

    [Fact]
    public async Task What_older_kernels_still_point_to_is_deleted_later()
    {
        Service service = TestServices.Service("web");
        _state.SetService(service with { Spec = service.Spec! with { SessionAffinity = "ClientIP" } });
        _state.SetSlice(TestServices.Slice("web", "10.244.0.5"));
        NftablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        _kernel.Busy = true;
        _state.SetService(service);
        bool failed = false;
        proxier.Passed += p => failed = p.CleanupFailed;
        Assert.True(await proxier.SyncAsync(default));
        Assert.True(failed);
        Assert.Contains("is empty", _kernel.Text(), StringComparison.Ordinal);
        _kernel.Busy = false;
        Assert.True(await proxier.SyncAsync(default));
        Assert.DoesNotContain("is empty", _kernel.Text(), StringComparison.Ordinal);
        Assert.DoesNotContain("affinity-", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_is_compared_after_an_hour_and_nothing_sent_where_nothing_differs()
    {
        NftablesProxier proxier = await WithServices(3);
        _time.Advance(TimeSpan.FromMinutes(61));
        int before = _kernel.Changes.Count;
        Assert.True(await proxier.SyncAsync(default));
        Assert.All(_kernel.Changes.Skip(before), c => Assert.Equal((0, 0), (c.Add.Count, c.Delete.Count)));
        Assert.NotEqual(before, _kernel.Changes.Count);
    }

    [Fact]
    public async Task New_service_ranges_are_programmed_with_the_next_pass()
    {
        NftablesProxier proxier = await WithServices(1);
        Assert.False(proxier.SetServiceCidrs(["10.96.0.0/16"]));
        Assert.True(proxier.SetServiceCidrs(["10.96.0.0/16", "10.97.0.0/16"]));
        Assert.True(await proxier.SyncAsync(default));
        Assert.Contains("ip daddr { 10.96.0.0/16, 10.97.0.0/16 } drop", _kernel.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_sequence_of_changes_ends_where_programming_from_nothing_ends()
    {
        Prop.ForAll(StateChange.Sequences(), changes =>
        {
            var kernel = new FakeNftKernel(IPFamily.IPv4);
            var state = new ProxyState(IPFamily.IPv4);
            NftablesProxier proxier = Make(state, kernel);
            foreach (StateChange change in changes)
            {
                change.ApplyTo(state);
                Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult());
                proxier = change.Bits == 15 ? Make(state, kernel) : proxier;
                if (change.Bits == 15)
                {
                    state.RequestFull();
                }
            }

            state.RequestFull();
            Assert.True(Make(state, kernel).SyncAsync(default).GetAwaiter().GetResult());
            var fresh = new FakeNftKernel(IPFamily.IPv4);
            state.RequestFull();
            Assert.True(Make(state, fresh).SyncAsync(default).GetAwaiter().GetResult());
            Assert.Equal(fresh.Text(), kernel.Text());
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_sequence_of_changes_leaves_the_same_reachable_rules_without_a_full_pass()
    {
        Prop.ForAll(StateChange.Sequences(14), changes =>
        {
            var kernel = new FakeNftKernel(IPFamily.IPv4);
            var state = new ProxyState(IPFamily.IPv4);
            NftablesProxier proxier = Make(state, kernel);
            Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult());
            int full = kernel.Changes.Count(c => c.AddContainers);
            foreach (StateChange change in changes)
            {
                change.ApplyTo(state);
                Assert.True(proxier.SyncAsync(default).GetAwaiter().GetResult());
            }

            Assert.Equal(full, kernel.Changes.Count(c => c.AddContainers));
            var fresh = new FakeNftKernel(IPFamily.IPv4);
            state.RequestFull();
            Assert.True(Make(state, fresh).SyncAsync(default).GetAwaiter().GetResult());
            Assert.Equal(fresh.Text(withUnused: false), kernel.Text(withUnused: false));
        }).QuickCheckThrowOnFailure();
    }

    private async Task<NftablesProxier> WithServices(int count)
    {
        for (int i = 0; i < count; i++)
        {
            _state.SetService(TestServices.Service($"web{i}", $"10.96.{1 + (i / 250)}.{i % 250}"));
            _state.SetSlice(TestServices.Slice($"web{i}", "10.244.0.5", "10.244.0.6"));
        }

        NftablesProxier proxier = New();
        Assert.True(await proxier.SyncAsync(default));
        return proxier;
    }
}
