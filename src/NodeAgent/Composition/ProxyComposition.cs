using System.Net;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Network;
using NodeAgent.Linux.Procfs;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Health;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Kernel.Sysctls;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Nodes;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Proxy.Watching;

namespace NodeAgent.Composition;

/// <summary>Every long-lived object of the proxy half, made and run together. Source: cmd/kube-proxy/app/server.go, server_linux.go.</summary>
internal sealed partial class ProxyComposition(ProxySettings settings, ILoggerFactory loggers, TimeProvider time)
{
    private static readonly TimeSpan AddressPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PodCidrPatience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan RangesPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RulesPatience = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = loggers.CreateLogger("NodeAgent.Proxy");
    private readonly KernelSettings _kernel = new();
    private readonly HostNetwork _network = new();
    private readonly NftTransactions _transactions = new();
    private readonly TaskCompletionSource _programmed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Runs until cancelled, or until something ends with an error, which is then this call's; with --init-only until the kernel is prepared. Rules are left in place.</summary>
    /// <param name="ready">Called once the watches have begun; nothing of the API server is waited for.</param>
    /// <param name="cancellationToken">Ends the proxy, not its rules.</param>
    /// <exception cref="InvalidOperationException">Something in the configuration or on the host makes a start impossible; names field and remedy.</exception>
    public async Task RunAsync(Action ready, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        KubeProxyConfiguration c = settings.Configuration;
        SetOomScore(c.OomScoreAdj);
        var registry = new MetricsRegistry();
        using var api = new KubernetesClient(
            settings.ApiServer(time),
            new KubernetesClientOptions { Qps = c.ClientConnectionQps, Burst = c.ClientConnectionBurst, UserAgent = "kube-proxy/v1.36.2", Metrics = new RequestMetrics(registry) },
            time);
        ProcessMetrics.Register(registry);
        var metrics = new ProxyMetrics(registry, time);
        var health = new ProxyHealth(2 * c.SyncPeriod, time);
        var events = new EventsV1Recorder(api, "kube-proxy", $"kube-proxy-{settings.NodeName}", loggers.CreateLogger<EventsV1Recorder>(), time);
        var around = new ProxySurroundings(settings, health, metrics, events, _network, loggers, time);
        var servers = new ProxyServers(c, health, metrics, registry, time, loggers.CreateLogger<ProxyServers>());
        servers.Failed += (reason, message) => events.Record(NodeReference, EventTypes.Warning, reason, message, "StartKubeProxy");
        var nodes = new ProxyNodeWatch(health);
        var informers = new ProxyInformers(api, settings, loggers, time);
        informers.Node.AddHandler(nodes);
        List<Task> running =
        [
            .. informers.Run(stop.Token), AfterRulesAsync(events.RunAsync, stop.Token), .. settings.InitOnly ? [] : new[] { AfterRulesAsync(servers.RunAsync, stop.Token) },
        ];
        running.Add(ProgramAsync(informers, nodes, around, stop.Token));
        if (!settings.InitOnly)
        {
            ready();
        }

        try
        {
            Task first = await Task.WhenAny(running);
            await first;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Asked to end.
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAny(Task.WhenAll(running), Task.Delay(TimeSpan.FromSeconds(5), time, CancellationToken.None));
        }
    }

    /// <summary>--cleanup: takes the rules of every mode away.</summary>
    /// <exception cref="IptablesException">The iptables rules could not be removed.</exception>
    /// <exception cref="NetlinkException">The nftables rules could not be removed.</exception>
    public static async Task CleanupAsync(CancellationToken cancellationToken)
    {
        foreach (IPFamily family in Enum.GetValues<IPFamily>())
        {
            using var nftables = new NftKernel(family, () => NetlinkSocket.Open());
            if (nftables.Refusal() is null)
            {
                nftables.DeleteTable();
            }

            var iptables = new IptablesCommands(family, HostFamily.IptablesLimit);
            bool supported = await iptables.IsSupportedAsync(cancellationToken);
            // First the mode whose chains use those of the other.
            await IpvsCleanup.RunAsync(supported ? iptables : null, family, TimeProvider.System, cancellationToken);
            if (supported)
            {
                await IptablesCleanup.RunAsync(iptables, family, cancellationToken);
            }
        }
    }

    /// <summary>Begins work that can wait once the rules are there, or are not to be had for a while: until then the processors are theirs.</summary>
    private async Task AfterRulesAsync(Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        await Task.WhenAny(_programmed.Task, Task.Delay(RulesPatience, time, cancellationToken));
        await work(cancellationToken);
    }

    private ObjectReference NodeReference => new() { Kind = "Node", Name = settings.NodeName, Uid = settings.NodeName };

    private async Task ProgramAsync(ProxyInformers informers, ProxyNodeWatch nodes, ProxySurroundings around, CancellationToken cancellationToken)
    {
        // The host is looked at while the first answers are on their way.
        Task<HostFamily[]> host = HostFamily.LookAsync(settings.Configuration.Mode, cancellationToken);
        await informers.Node.HasSynced.WaitAsync(cancellationToken);
        ProxyNode node = await WaitForNodeAsync(nodes, cancellationToken);
        List<ProxyFamily> families = await PrepareAsync(node, host, around, cancellationToken);
        try
        {
            if (!settings.InitOnly)
            {
                await RunFamiliesAsync(families, informers, node, around, cancellationToken);
            }
        }
        finally
        {
            foreach (ProxyFamily family in families)
            {
                await family.DisposeAsync();
            }
        }
    }

    private async Task RunFamiliesAsync(
        List<ProxyFamily> families, ProxyInformers informers, ProxyNode node, ProxySurroundings around, CancellationToken cancellationToken)
    {
        bool synced = false;
        var watches = new ProxyWatches([.. families.Select(f => f.State)], () =>
        {
            if (Volatile.Read(ref synced))
            {
                families.FindAll(f => f.State.HasChanges).ForEach(f => f.Changed());
            }
        });
        around.Metrics.Follow([.. families.Select(f => f.State)]);
        informers.Node.AddHandler(watches.Nodes);
        IInformerRegistration first = informers.Services.AddHandler(watches.Services), second = informers.Slices.AddHandler(watches.Slices);
        around.Events.Record(NodeReference, EventTypes.Normal, "Starting", "", "StartKubeProxy");
        if (IsIpvs)
        {
            const string deprecated = "ipvs mode is deprecated and will go in a later release of Kubernetes; use mode nftables";
            LogDeprecated(deprecated);
            around.Events.Record(NodeReference, EventTypes.Warning, "IPVSDeprecation", deprecated, "StartKubeProxy");
        }

        if (informers.Ranges?.AddHandler(new ServiceRanges(cidrs => families.ForEach(f => f.SetServiceCidrs(cidrs)))) is { } third)
        {
            await Task.WhenAny(third.HasSynced, Task.Delay(RangesPatience, time, cancellationToken));
        }

        await Task.WhenAll(first.HasSynced, second.HasSynced).WaitAsync(cancellationToken);
        Volatile.Write(ref synced, true);
        await await Task.WhenAny(
            [FailOnNewPodCidrsAsync(informers.Node, node, cancellationToken), AfterStart.TrimAsync(families, _programmed, time, cancellationToken), .. families.Select(f => f.RunAsync(cancellationToken))]);
    }

    private bool IsIpvs => settings.Configuration.Mode == "ipvs";

    private bool IsNftables => settings.Configuration.Mode == "nftables";

    /// <summary>Kernel settings and one proxier for each family the host can do.</summary>
    private async Task<List<ProxyFamily>> PrepareAsync(ProxyNode node, Task<HostFamily[]> host, ProxySurroundings around, CancellationToken cancellationToken)
    {
        List<HostFamily> usable = [];
        foreach (HostFamily family in await host)
        {
            if (family.Refusal is { } cause)
            {
                LogWithoutFamily(family.Family, cause);
            }
            else
            {
                usable.Add(family);
            }
        }

        if (!usable.Exists(f => f.Family == node.Addresses.Primary))
        {
            throw new InvalidOperationException(IsNftables
                ? $"nftables cannot be used for the node's family {node.Addresses.Primary}; load the kernel module nf_tables and run as root or with CAP_NET_ADMIN"
                : $"iptables cannot be used for the node's family {node.Addresses.Primary}; install iptables, load its kernel modules and run as root");
        }

        if (LocalTrafficDetection.Refusal(settings.Configuration, node.PodCidrs, node.Addresses.Primary, usable.Count > 1) is { } refusal)
        {
            throw new InvalidOperationException(refusal);
        }

        IReadOnlyList<KernelSetting> tracking = ConntrackSettings.Plan(settings.Configuration, Cpus());
        if (await ConntrackSettings.AppearAsync(tracking, _kernel, module => KernelModule.LoadAsync(module, cancellationToken)) is { } absent)
        {
            throw new InvalidOperationException(absent);
        }

        foreach (KernelSetting setting in tracking)
        {
            Ensure(setting);
        }

        List<ProxyFamily> families = [];
        foreach (HostFamily family in usable)
        {
            var state = new ProxyState(family.Family) { Started = time.GetUtcNow() };
            families.Add(new ProxyFamily(state, await BackendAsync(state, family.Iptables, node, around, cancellationToken), node, around));
        }

        if (families.Any(f => f.Localhost))
        {
            Ensure(new KernelSetting("proc/sys/net/ipv4/conf/all/route_localnet", 1, "iptables.localhostNodePorts", "set it to false, or nodePortAddresses to ranges without loopback"));
        }

        return families;
    }

    private async Task<ProxyBackend> BackendAsync(ProxyState state, IptablesAbilities? abilities, ProxyNode node, ProxySurroundings around, CancellationToken cancellationToken)
    {
        if (abilities is null)
        {
            return new NftablesBackend(state, new NftKernel(state.Family, () => NetlinkSocket.Open(), _transactions), node, around);
        }

        var iptables = new IptablesCommands(state.Family, HostFamily.IptablesLimit);
        if (IsIpvs)
        {
            return new IpvsBackend(state, await OpenIpvsAsync(state.Family, cancellationToken), iptables, abilities, node, around);
        }

        var counters = new PacketCounters(() => NetlinkSocket.Open());
        abilities = abilities with { Accounting = counters.Ensure() && await iptables.CountsAsync(PacketCounters.InvalidDropped, cancellationToken) };
        if (!abilities.Statistic)
        {
            throw new InvalidOperationException($"the kernel lacks the iptables match \"statistic\" for {state.Family}; load the module xt_statistic");
        }

        if (!abilities.Recent)
        {
            LogNoRecent(state.Family);
        }

        return new IptablesBackend(state, iptables, abilities, counters, node, around);
    }

    /// <summary>IPVS, ready to be used: module, scheduler, kernel settings, time-outs.</summary>
    private async Task<IpvsKernel> OpenIpvsAsync(IPFamily family, CancellationToken cancellationToken)
    {
        KubeProxyConfiguration c = settings.Configuration;
        string? loading = null;
        IpvsKernel? kernel = IpvsKernel.Open(family);
        if (kernel is null)
        {
            loading = await KernelModule.LoadAsync("ip_vs", cancellationToken);
            kernel = IpvsKernel.Open(family);
        }

        if (kernel is null)
        {
            throw new InvalidOperationException($"mode: ipvs needs the kernel module ip_vs, which is not there ({loading ?? "modprobe says it is loaded"}); load it, or use mode nftables");
        }

        if (kernel.Refusal(IpvsBackend.Scheduler(c)) is { } refusal)
        {
            throw new InvalidOperationException(refusal);
        }

        foreach (KernelSetting setting in IpvsSettings.Plan(c, IpvsSettings.VersionOf(new HostInformation().KernelVersion())))
        {
            Ensure(setting);
        }

        try
        {
            if (c.IpvsTcpTimeout + c.IpvsTcpFinTimeout + c.IpvsUdpTimeout > TimeSpan.Zero)
            {
                kernel.SetTimeouts(c.IpvsTcpTimeout, c.IpvsTcpFinTimeout, c.IpvsUdpTimeout);
            }
        }
        catch (NetlinkException e)
        {
            LogIpvsTimeouts(e.Message);
        }

        return kernel;
    }

    private void Ensure(KernelSetting setting)
    {
        if (_kernel.Ensure(setting) is { } warning)
        {
            LogKernelSetting(warning);
        }
    }

    private static int Cpus()
    {
        try
        {
            return Math.Max(1, ConntrackSettings.CountCpus(File.ReadAllText("/sys/devices/system/cpu/online")));
        }
        catch (IOException)
        {
            return Environment.ProcessorCount;
        }
    }

    private async Task<ProxyNode> WaitForNodeAsync(ProxyNodeWatch nodes, CancellationToken cancellationToken)
    {
        await nodes.WaitAsync(n => NodeAddresses.Listed(n).Count > 0, AddressPatience, time, cancellationToken);
        IReadOnlyList<IPAddress> listed = NodeAddresses.Listed(nodes.Current);
        if (listed.Count == 0)
        {
            LogNoAddresses(settings.NodeName);
        }

        if (settings.Configuration.DetectLocalMode == "NodeCIDR"
            && !await nodes.WaitAsync(n => n.Spec?.PodCIDRs.Count > 0, PodCidrPatience, time, cancellationToken))
        {
            throw new InvalidOperationException(
                $"detectLocalMode: NodeCIDR needs spec.podCIDRs, and Node {settings.NodeName} has got none in {PodCidrPatience.TotalMinutes:0} minutes; let the controller-manager allocate them, or use another mode");
        }

        return new ProxyNode(NodeAddresses.Detect(listed, settings.Configuration.BindAddress), nodes.Current?.Spec?.PodCIDRs ?? []);
    }

    /// <summary>In NodeCIDR mode new ranges need new rules all over: the half is started again.</summary>
    private async Task FailOnNewPodCidrsAsync(Informer<Node> informer, ProxyNode node, CancellationToken cancellationToken)
    {
        if (settings.Configuration.DetectLocalMode != "NodeCIDR")
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }

        var watch = new ProxyNodeWatch(health: null);
        using IInformerRegistration registration = informer.AddHandler(watch);
        await watch.WaitAsync(n => n.Spec?.PodCIDRs.SequenceEqual(node.PodCidrs) == false, Timeout.InfiniteTimeSpan, time, cancellationToken);
        throw new InvalidOperationException($"spec.podCIDRs of Node {settings.NodeName} changed; the proxy has to be started again (detectLocalMode: NodeCIDR)");
    }

    private void SetOomScore(int score)
    {
        try
        {
            File.WriteAllText("/proc/self/oom_score_adj", score.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogOomScore(score, e.Message);
        }
    }

    [LoggerMessage(4149, LogLevel.Information, "{Family} is not programmed: {Cause}; the other family is served alone")]
    private partial void LogWithoutFamily(IPFamily family, string cause);

    [LoggerMessage(4140, LogLevel.Warning, "{Problem}")]
    private partial void LogKernelSetting(string problem);

    [LoggerMessage(4141, LogLevel.Error, "Node {Node} has no usable address; the proxy goes on as if it were 127.0.0.1 and ::1")]
    private partial void LogNoAddresses(string node);

    [LoggerMessage(4142, LogLevel.Warning, "oomScoreAdj: {Score} cannot be set: {Error}")]
    private partial void LogOomScore(int score, string error);

    [LoggerMessage(4144, LogLevel.Error, "ipvs.tcpTimeout, ipvs.tcpFinTimeout and ipvs.udpTimeout cannot be set, the kernel's stay: {Error}")]
    private partial void LogIpvsTimeouts(string error);

    [LoggerMessage(4145, LogLevel.Error, "{Message}")]
    private partial void LogDeprecated(string message);

    [LoggerMessage(4143, LogLevel.Error, "The kernel lacks the iptables match \"recent\" for {Family}: sessionAffinity has no effect; load the module xt_recent")]
    private partial void LogNoRecent(IPFamily family);
}
