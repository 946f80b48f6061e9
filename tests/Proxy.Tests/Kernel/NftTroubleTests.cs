using System.Collections.Concurrent;
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

/// <summary>Queues of the real kernel that overflow, and others who change tables at the same time without end.</summary>
public sealed class NftTroubleTests : IDisposable
{
    private const int NoBufferSpace = 105, SmallQueue = 2048;
    private static int _count;
    private readonly NetworkNamespace _ns = new($"nt{Environment.ProcessId % 10000}n{Interlocked.Increment(ref _count)}");

    public void Dispose() => _ns.Dispose();

    [NftTheory]
    [InlineData(3000)]
    public void Refusals_that_do_not_fit_into_the_queue_are_an_error_and_the_next_transaction_is_taken(int refusals)
    {
        using NftConnection connection = new(_ns.Within(() => NetlinkSocket.Open(receiveBuffer: SmallQueue)));
        var batch = new NftBatch(NftFamily.IPv4, NftNames.Table);
        for (int i = 0; i < refusals; i++)
        {
            batch.FlushChain("missing");
        }

        NetlinkException lost = Assert.Throws<NetlinkException>(() => connection.Execute(batch));
        Assert.Equal(NoBufferSpace, lost.Errno);
        var next = new NftBatch(NftFamily.IPv4, NftNames.Table);
        next.AddTable();
        Assert.True(connection.Execute(next));
        Assert.True(connection.HasTable(NftFamily.IPv4, NftNames.Table));
    }

    [NftTheory]
    [InlineData(2000)]
    public async Task Notifications_that_do_not_fit_into_the_queue_count_as_a_foreign_change(int tables)
    {
        using var told = new SemaphoreSlim(0);
        using var done = new ManualResetEventSlim();
        ConcurrentQueue<NftForeignChange> changes = [];
        bool IsOwn(uint port)
        {
            // The reader is held up at the first object.
            done.Wait();
            return false;
        }

        using NftMonitor monitor = NftMonitor.Start(_ns.Within(() => NetlinkSocket.Open(receiveBuffer: SmallQueue)), NftFamily.IPv4, NftNames.Table, IsOwn, change =>
        {
            changes.Enqueue(change);
            told.Release();
        });
        // One transaction of very many objects, none of which is ours: only that something was lost can be told.
        string script = Path.GetTempFileName();
        await File.WriteAllLinesAsync(script, Enumerable.Range(0, tables).Select(i => $"add table ip other{i}"));
        _ns.Exec("nft", "-f", script);
        File.Delete(script);
        done.Set();
        Assert.True(await told.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains(new NftForeignChange(0, ""), changes);
        // And it goes on to tell.
        changes.Clear();
        _ns.Exec("nft", "add", "table", "ip", NftNames.Table);
        while (!changes.Any(change => change.Process == "nft"))
        {
            Assert.True(await told.WaitAsync(TimeSpan.FromSeconds(30)));
        }
    }

    [NftTheory]
    [InlineData(200)]
    public async Task A_small_queue_holds_up_no_dump_and_no_pass_of_very_many_Services(int services)
    {
        using NftKernel kernel = new(IPFamily.IPv4, () => _ns.Within(() => NetlinkSocket.Open(receiveBuffer: SmallQueue)));
        ProxyState state = State(services);
        Assert.True(await New(state, kernel).SyncAsync(default));
        string before = List();
        state.RequestFull();
        Assert.True(await New(state, kernel).SyncAsync(default));
        Assert.Equal(NftScript.Facts(before), NftScript.Facts(List()));
    }

    [NftTheory]
    [InlineData(40)]
    public async Task Passes_succeed_while_another_process_changes_tables_without_end(int passes)
    {
        using NftKernel kernel = Open();
        ProxyState state = State(50);
        NftablesProxier proxier = New(state, kernel);
        List<string> errors = [];
        proxier.Passed += pass => errors.AddRange(pass.Error is { } error ? [error] : []);
        Assert.True(await proxier.SyncAsync(default));
        int others = 0;
        using CancellationTokenSource end = new();
        using ManualResetEventSlim way = new(true);
        Task other = Task.Factory.StartNew(() => Meddle(() => Interlocked.Increment(ref others), way, end.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            var random = new Random(4);
            for (int i = 0; i < passes; i++)
            {
                state.SetSlice(TestServices.Slice($"s{random.Next(50)}", [.. Enumerable.Range(1, random.Next(1, 5)).Select(n => $"10.244.{random.Next(200)}.{n}")]));
                if (i % 3 == 0)
                {
                    // What the kernel shows is read among the others' changes.
                    state.RequestFull();
                }

                int seen = Volatile.Read(ref others);
                // As the runner does; what failed is made up for by the next pass. How often the other comes between depends on the machine: in the end it gives way.
                for (int tries = 1; !await proxier.SyncAsync(default); tries++)
                {
                    Assert.True(tries <= 5, $"pass {i}: {string.Join(", ", errors)}");
                    if (tries == 4)
                    {
                        way.Reset();
                    }
                }

                way.Set();
                SpinWait.SpinUntil(() => Volatile.Read(ref others) > seen || other.IsCompleted);
            }
        }
        finally
        {
            way.Set();
            await end.CancelAsync();
            await other;
        }

        Assert.InRange(others, passes, int.MaxValue);
        // Only a dump that every attempt finds interrupted may fail.
        Assert.DoesNotContain(errors, error => !error.StartsWith("netlink dump", StringComparison.Ordinal));
        string after = List();
        _ns.Exec("nft", "delete", "table", "ip", NftNames.Table);
        state.RequestFull();
        Assert.True(await New(state, kernel).SyncAsync(default));
        Assert.Equal(NftScript.Facts(List()), NftScript.Facts(after));
    }

    /// <summary>Transactions in another table over a socket of its own, as fast as the kernel takes them; none while the way is closed.</summary>
    private void Meddle(Action done, ManualResetEventSlim way, CancellationToken end)
    {
        using NftConnection connection = _ns.Within(NftConnection.Open);
        while (!end.IsCancellationRequested)
        {
            var batch = new NftBatch(NftFamily.IPv4, "others");
            batch.AddTable();
            batch.AddChain("a");
            batch.FlushChain("a");
            connection.Execute(batch);
            done();
            way.Wait(CancellationToken.None);
        }
    }

    private static ProxyState State(int services)
    {
        ProxyState state = new(IPFamily.IPv4);
        for (int i = 0; i < services; i++)
        {
            state.SetService(TestServices.Service($"s{i}", $"10.96.{i / 200}.{(i % 200) + 1}"));
            state.SetSlice(TestServices.Slice($"s{i}", $"10.244.{i % 200}.10", $"10.244.{i % 200}.11"));
        }

        return state;
    }

    private NftKernel Open() => new(IPFamily.IPv4, () => _ns.Within(() => NetlinkSocket.Open()));

    private string List() => _ns.Exec("nft", "-s", "list", "table", "ip", NftNames.Table);

    private static NftablesProxier New(ProxyState state, INftKernel kernel) =>
        new(state, NftCorpus.Options(state.Family), kernel, "node1", TimeProvider.System, NullLogger<NftablesProxier>.Instance);
}
