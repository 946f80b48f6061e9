using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Proxy.Tests.Packets;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Proxy.Watching;

namespace NodeAgent.Proxy.Tests.Watching;

/// <summary>From an API server's answers, good and bad, over watches and passes to packets: what it cannot say any more stays as it was.</summary>
public sealed class LostWatchTests
{
    private static readonly InformerOptions Hurried = new() { InitialBackoff = TimeSpan.FromMilliseconds(20), MaximumBackoff = TimeSpan.FromMilliseconds(20) };
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static TheoryData<string, bool> Modes
    {
        get
        {
            TheoryData<string, bool> rows = [];
            foreach (string mode in PacketModes.All.Where(m => m is "nftables" or "iptables-nft" or "iptables-legacy"))
            {
                rows.Add(mode, mode == "iptables-legacy");
                if (mode == "nftables")
                {
                    rows.Add(mode, true);
                }
            }

            return rows;
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task No_rule_goes_over_lost_watches_refused_torn_and_emptied_lists_and_what_is_new_comes_afterwards(string mode, bool streaming)
    {
        using var net = new NodeNetwork(mode);
        await using ScriptedCluster cluster = await ScriptedCluster.StartAsync();
        string[] services = [Service("kubernetes", "172.30.0.1"), Service("web", NodeNetwork.VirtualIP)];
        string[] slices = [Slice("kubernetes", "10.181.0.2"), Slice("web", "10.180.2.2")];
        cluster.Set(Trouble.None, "100", services, slices);
        await using WatchingProxy proxy = new(net, cluster, streaming);
        await proxy.Programmed.WaitAsync(Limit);
        Assert.StartsWith("local sees", await AnswerAsync(net, "local"), StringComparison.Ordinal);
        using CancellationTokenSource end = new();
        Task<List<string>> asking = AskAsync(net, end.Token);
        int passes = proxy.Passes;
        foreach (Trouble trouble in (Trouble[])[Trouble.Emptied, Trouble.None, Trouble.Cut, Trouble.Torn, Trouble.Refused])
        {
            bool emptied = trouble == Trouble.Emptied;
            cluster.Set(trouble, emptied ? "7" : "100", emptied ? [] : services, emptied ? [] : slices);
            // The last of them may not be answered yet.
            await cluster.AskedAsync(trouble == Trouble.None ? 1 : 4);
        }

        await end.CancelAsync();
        // On a busy machine an answer may be late; no rule that is there refuses.
        Assert.All((await asking).Where(answer => answer != "nothing"), answer => Assert.StartsWith("local sees", answer, StringComparison.Ordinal));
        Assert.StartsWith("local sees", await AnswerAsync(net, "local"), StringComparison.Ordinal);
        Assert.Equal(passes, proxy.Passes);
        cluster.Set(Trouble.None, "200", services, [Slice("kubernetes", "10.181.0.2"), Slice("web", "10.181.0.2", version: "150")]);
        Assert.StartsWith("remote sees", await AnswerAsync(net, "remote"), StringComparison.Ordinal);
    }

    /// <summary>Asks until an endpoint answers.</summary>
    private static async Task<string> AnswerAsync(NodeNetwork net, string endpoint)
    {
        using CancellationTokenSource limit = new(Limit);
        while (true)
        {
            string answer = await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80);
            if (answer.StartsWith(endpoint, StringComparison.Ordinal) || limit.IsCancellationRequested)
            {
                return answer;
            }

            await Task.Delay(20, CancellationToken.None);
        }
    }

    /// <summary>Asks without a pause until the end; gives the different answers.</summary>
    private static async Task<List<string>> AskAsync(NodeNetwork net, CancellationToken end)
    {
        HashSet<string> answers = [];
        do
        {
            answers.Add(await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80));
        }
        while (!end.IsCancellationRequested);
        return [.. answers];
    }

    private static string Service(string name, string ip) =>
        $$$"""{"metadata":{"name":"{{{name}}}","namespace":"default","uid":"s-{{{name}}}","resourceVersion":"10"},"spec":{"type":"ClusterIP","clusterIP":"{{{ip}}}","clusterIPs":["{{{ip}}}"],"ipFamilies":["IPv4"],"ports":[{"name":"web","port":80,"protocol":"TCP","targetPort":8080}]}}""";

    private static string Slice(string service, string endpoint, string version = "20") =>
        $$$"""{"metadata":{"name":"{{{service}}}-1","namespace":"default","uid":"e-{{{service}}}","resourceVersion":"{{{version}}}","labels":{"kubernetes.io/service-name":"{{{service}}}"}},"addressType":"IPv4","ports":[{"name":"web","port":8080,"protocol":"TCP"}],"endpoints":[{"addresses":["{{{endpoint}}}"],"conditions":{"ready":true}}]}""";

    /// <summary>Watches, states, runner and proxier as the program joins them, in a namespace and without the pauses between failures.</summary>
    private sealed class WatchingProxy : IAsyncDisposable
    {
        private readonly KubernetesClient _client;
        private readonly CancellationTokenSource _end = new();
        private readonly Task _running;
        private readonly TaskCompletionSource _programmed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _passes;

        public WatchingProxy(NodeNetwork net, ScriptedCluster cluster, bool streaming)
        {
            _client = cluster.Server.Client();
            net.Proxier.Passed += pass =>
            {
                Interlocked.Increment(ref _passes);
                if (pass.Succeeded)
                {
                    _programmed.TrySetResult();
                }
            };
            Informer<Service, ServiceState> services = new(_client, Options(ProxyWatches.ServiceOptions, streaming), ProxyWatches.ServiceProjection, NullLogger.Instance);
            Informer<EndpointSlice, SliceState> slices = new(_client, Options(ProxyWatches.SliceOptions, streaming), ProxyWatches.SliceProjection("node1"), NullLogger.Instance);
            BoundedFrequencyRunner runner = new(net.Proxier.SyncAsync, TimeSpan.Zero, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), TimeProvider.System);
            ProxyWatches watches = new([net.State], () =>
            {
                if (services.HasSynced.IsCompleted && slices.HasSynced.IsCompleted && net.State.HasChanges)
                {
                    runner.Run();
                }
            });
            IInformerRegistration first = services.AddHandler(watches.Services), second = slices.AddHandler(watches.Slices);
            _running = Task.WhenAll(services.RunAsync(_end.Token), slices.RunAsync(_end.Token), RunAsync(runner, Task.WhenAll(first.HasSynced, second.HasSynced)));
        }

        public Task Programmed => _programmed.Task;

        public int Passes => Volatile.Read(ref _passes);

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _client.Dispose();
            _end.Dispose();
        }

        private async Task RunAsync(BoundedFrequencyRunner runner, Task synced)
        {
            await synced.WaitAsync(_end.Token);
            runner.Run();
            await runner.LoopAsync(_end.Token);
        }

        private static InformerOptions Options(InformerOptions own, bool streaming) =>
            own with { InitialBackoff = Hurried.InitialBackoff, MaximumBackoff = Hurried.MaximumBackoff, StreamingList = streaming };
    }
}
