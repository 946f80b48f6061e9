using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.Connection;
using NodeAgent.Hosting;
using NodeAgent.Kubelet;
using NodeAgent.Kubelet.Admission;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Certificates;
using NodeAgent.Kubelet.Cleanup;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubelet.Server.SystemLogs;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Patches;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.DBus;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Network;
using NodeAgent.Linux.Procfs;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Composition;

/// <summary>Every long-lived object of the kubelet half, made top to bottom and run together.</summary>
internal sealed partial class KubeletComposition : IAsyncDisposable
{
    private const int StartWidth = 10;
    private static readonly TimeSpan StartCountsFor = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SyncLoopLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PlegLimit = TimeSpan.FromMinutes(3);

    private readonly KubeletSettings _settings;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Func<CancellationToken, Task>> _loops = [];
    private readonly List<IDisposable> _owned = [];
    private readonly KubeletServer _server;
    private readonly BlockingWork _blocking;
    private readonly QosContainerManager _qos;
    private readonly NodeEvents _nodeEvents;
    private readonly ActivePods _active;
    private readonly string? _cgroupWarning;
    private EventBroadcaster? _broadcaster;
    private readonly RuntimeStateMonitor _runtimeState;
    private readonly SyncLoop _loop;
    private readonly NodeIdentity? _identity;
    private readonly InotifyWatcher _inotify;
    private readonly Func<CancellationToken, Task> _recoverPulls;

    public KubeletComposition(KubeletSettings settings, ProgressWatchdog watchdog, ILoggerFactory loggers, TimeProvider time)
    {
        (_settings, _time, _logger) = (settings, time, loggers.CreateLogger("NodeAgent.Kubelet"));
        string node = settings.Node.NodeName;
        var metrics = new MetricsRegistry();
        var cache = new PodStatusCache();
        var measured = new KubeletMetrics(metrics, node, () => cache.All);
        var probeMetrics = new MetricsRegistry();
        var paths = settings.Paths;

        _inotify = Own(new InotifyWatcher());

        // The runtime.
        CriConnection runtimeConnection = Own(new CriConnection(settings.RuntimeEndpoint, new CriConnectionOptions { Limits = settings.CriLimits, Time = time, Observer = measured }, loggers.CreateLogger<CriConnection>()));
        CriConnection imageConnection = settings.ImageEndpoint == settings.RuntimeEndpoint ? runtimeConnection
            : Own(new CriConnection(settings.ImageEndpoint, new CriConnectionOptions { Limits = settings.CriLimits, Time = time, Observer = measured, Flag = "--image-service-endpoint" }, loggers.CreateLogger<CriConnection>()));
        var runtime = new RuntimeServiceClient(runtimeConnection);
        var images = new ImageServiceClient(imageConnection);

        _identity = Identity(settings, loggers, time);

        // The API server; heartbeats and events have clients of their own.
        var requests = new RequestMetrics(metrics);
        KubernetesClient? api = Client(settings.ApiClient, requests), heartbeat = Client(settings.ApiClient with { Qps = 0, RequestTimeout = TimeSpan.FromSeconds(10) }, requests), eventClient = Client(settings.EventClient, requests);
        IEventRecorder events = Events(eventClient, node, loggers);
        _nodeEvents = new NodeEvents(events, node);

        // The node.
        var host = new HostInformation();
        var network = new HostNetwork();
        _runtimeState = new RuntimeStateMonitor(new CriRuntimeStatusSource(runtime), time, loggers.CreateLogger<RuntimeStateMonitor>());
        var nodeInfo = new NodeInfo(settings.Node, _runtimeState);

        // Pods: what is wanted, what is observed, what is told.
        var pods = new PodManager();
        var podEvents = new PodEventRecorder(events);
        PodWorkers? workers = null;
        StatusManager statuses = new(
            api is null ? new NoApiServer() : new ApiPodStatusWriter(api, CreatePatch), pods, uid => workers!.CouldHaveRunningContainers(uid), time, loggers.CreateLogger<StatusManager>(), _stop.Token);

        // Volumes, secrets, tokens.
        BlockingWork blocking = _blocking = Own(new BlockingWork(time: time));
        var mounter = new Mounter();
        IPodObjectStore objects = ObjectStore(api, loggers, out Action<Action<PodUid>> onObjectChange);
        var tokens = Own(new ServiceAccountTokens(api, time, loggers.CreateLogger<ServiceAccountTokens>()));
        var volumes = new VolumeManager(new VolumeManagerParts(paths, nodeInfo, objects, tokens, blocking, mounter), time, loggers.CreateLogger<VolumeManager>());

        // Probes.
        var probes = Own(new ProbeManager(
            new ProbeManagerParts(new ProbeTargets(cache, pods, statuses.Get, () => nodeInfo), new CriExecProber(runtime), podEvents, new ProbeMetrics(probeMetrics), blocking), time, loggers.CreateLogger<ProbeManager>()));

        // Cgroups.
        CgroupMounts mounts = CgroupMounts.Detect();
        _cgroupWarning = CgroupSupport.Warning(mounts.Version);
        measured.OfHost(mounts.Version);
        if (CgroupSupport.Refusal(mounts.Version, settings.Cgroups.FailCgroupV1) is { } refusal)
        {
            throw new StartRefusedException(refusal);
        }

        if (settings.FailSwapOn && host.SwapIsOn())
        {
            throw new StartRefusedException("swap is on, and failSwapOn is true: run swapoff -a and take swap out of /etc/fstab, or set failSwapOn: false");
        }

        var tree = new CgroupTree(mounts, new CgroupFiles(), time);
        ICgroupManager cgroups = settings.CgroupDriver == CgroupDriver.Systemd
            ? new SystemdCgroupManager(tree, new SystemdUnits(SystemdUnits.DefaultSockets, time))
            : new CgroupfsManager(tree);
        var podCgroups = new PodCgroupManager(cgroups, settings.Cgroups, blocking, UpdateSharesAsync);

        // Resources of pods, as allocated and as carried out.
        var limits = settings.Runtime.Config.Limits;
        PodResourceState allocated = ResourceState(PodResourceState.AllocatedFile, blocking), actuated = ResourceState(PodResourceState.ActuatedFile, blocking);

        var resizeConditions = new ResizeConditions(time);
        var resizeMetrics = new ResizeMetrics(metrics, resizeConditions);

        // Containers.
        IServiceLister services = Services(api, loggers);
        UserNamespaces userNamespaces = UserNamespacesOf(settings, blocking);
        ImagePullRecords? pullRecords = settings.PullVerification is { } verification
            ? new ImagePullRecords(settings.ImageCredentials.RootFolder, verification, time, loggers.CreateLogger<ImagePullRecords>()) : null;
        _recoverPulls = token => pullRecords?.RecoverAsync(images, token) ?? Task.CompletedTask;
        IPodRuntime podRuntime = Own(new RuntimeManager(
            runtime, images, settings.Runtime,
            new RuntimeManagerNeeds(podEvents, objects, services, nodeInfo, probes, paths, new SubPathBinder(paths, mounter, blocking), blocking, (name, token) => RuntimeHandlerAsync(api, name, token),
                new EnvironmentFiles(blocking))
            {
                Credentials = new ImageCredentials(settings.ImageCredentials, api, time, loggers.CreateLogger<ImageCredentials>()),
                PullRecords = pullRecords,
                HandlerFeatures = handler => _runtimeState.State.Handlers.FirstOrDefault(h => h.Name == handler)?.Features,
                UserNamespaces = userNamespaces,
                Starts = new PodStartMetrics(metrics),
                Resize = new ResizeNeeds(actuated, podCgroups) { Measured = resizeMetrics.Actuated },
            },
            time, loggers.CreateLogger<RuntimeManager>()));
        var pleg = new PodLifecycleEventGenerator(podRuntime, cache, RelistOptions.Default, time, loggers.CreateLogger<PodLifecycleEventGenerator>());

        // Node status and lease.
        EvictionManager? eviction = null;
        var reporter = heartbeat is null ? null : new NodeStatusReporter(
            heartbeat, settings.Node,
            new NodeStatusSources(new HostObserver(host, settings.Node.RootDirectory, time), network, _runtimeState, new CriNodeImages(images), new NodeHealth(pleg)) { Pressures = () => eviction!.Conditions },
            nodeInfo, _nodeEvents, time, loggers.CreateLogger<NodeStatusReporter>());
        MachineCapacity capacity = new HostObserver(host, settings.Node.RootDirectory, time).CapacityAsync(CancellationToken.None).GetAwaiter().GetResult();
        _qos = new QosContainerManager(cgroups, settings.Cgroups, CgroupSupport.InternalCapacity(NodeRegistration.Capacity(settings.Node, capacity), host.MaximumPids()), blocking);

        // The pods' way.
        AllocationManager? allocations = null;
        Task takenOver = Task.CompletedTask;
        var ender = new PodEnder(() => workers!, statuses, podEvents, time);
        var admission = Own(new NodeAdmission(
            PodAdmission.Default(node, new SysctlAllowlist(host.KernelVersion(), settings.AllowedUnsafeSysctls), settings.AdmissionFeatures),
            new NodeAdmissionParts(
                nodeInfo, new AdmittedPods(pods, pod => allocations!.Allocated(pod), uid => workers!.IsTerminationRequested(uid)), statuses, ender, podEvents,
                () => eviction!.Conditions, api is null ? null : token => api.GetAsync<Node>(null, node, cancellationToken: token)),
            time));
        allocations = new AllocationManager(
            new AllocationParts(
                allocated, actuated, resizeConditions, pods, podEvents, admission.RejectAsync,
                new ResizeOptions(settings.CpuManagerPolicy, settings.MemoryManagerPolicy, limits.MaySwap) { PodLevel = settings.ResizesPodLevel })
            { Metrics = resizeMetrics },
            () => takenOver.IsCompleted, time, loggers.CreateLogger<AllocationManager>());
        allocations.Decided += uid => workers!.Wake(uid);
        _loops.Add(allocations.RunAsync);
        _loops.Add(async token =>
        {
            await takenOver.WaitAsync(token);
            allocations.RetryPending(ResizeTriggers.PodsAdded);
            await Task.Delay(Timeout.InfiniteTimeSpan, time, token);
        });
        var syncer = new PodSyncer(
            new PodSyncParts(podRuntime, volumes, objects, probes, podCgroups, admission) { Resizing = new PodResizing(allocations, actuated) { TellsPodLevel = settings.ResizesPodLevel }, UserNamespaces = userNamespaces },
            new PodSyncSurroundings(pleg, cache, statuses, nodeInfo, podEvents, new StartGate(StartWidth, StartCountsFor, time), paths, blocking) { Rejected = new AdmissionMetrics(metrics).Rejected },
            time, loggers.CreateLogger<PodSyncer>());
        workers = new PodWorkers(syncer, cache.AnythingRunning, time, loggers.CreateLogger<PodWorkers>(), _stop.Token);
        _active = new ActivePods(new AdmittedPods(pods, allocations.Allocated, workers.IsTerminationRequested));
        workers.PodFinished += _ => allocations.RetryPending(ResizeTriggers.PodTerminated);
        SyncLoop? loop = null;
        List<PodSourceKind> kinds = [.. api is null ? [] : new[] { PodSourceKind.Api }, .. settings.StaticPodPath is null ? [] : new[] { PodSourceKind.File },
            .. settings.StaticPodUrl is null ? [] : new[] { PodSourceKind.Http }];
        var merger = new PodSourceMerger(kinds, u => loop!.Post(u), p =>
        {
            LogDuplicate(p.Ref);
            podEvents.Record(p, null, "Warning", "FailedValidation", $"Error validating pod {p.Metadata.Name}_{p.Metadata.Namespace}({p.Metadata.Uid}) from {p.Metadata.Annotations.GetValueOrDefault(PodIdentityExtensions.ConfigSourceAnnotation, "api")} due to duplicate pod name \"{p.Metadata.Name}\", ignoring");
        });
        LoopProgress? syncProgress = null;
        _loop = loop = new SyncLoop(pods, workers, statuses, () => syncProgress?.Beat(), loggers.CreateLogger<SyncLoop>());
        takenOver = TakenOverAsync(merger, loop);
        syncProgress = Own(watchdog.Register("sync loop", SyncLoopLimit, () => loop.Idle));
        LoopProgress dispatch = Own(watchdog.Register("worker dispatch", SyncLoopLimit, () => workers.Dispatch.Idle));
        workers.Dispatch.Progress += dispatch.Beat;
        // Without an answering runtime there is nothing to list: that is the node's NotReady, not a reason to restart the agent.
        LoopProgress relists = Own(watchdog.Register("PLEG", PlegLimit, () => _runtimeState.State.RuntimeErrors(time).Any()));
        var housekeeper = new Housekeeper(
            new HousekeepingParts(workers, cache, podRuntime, volumes, podCgroups, paths, blocking, time) { UserNamespaces = userNamespaces }, () => takenOver.IsCompleted && loop.Idle, loggers.CreateLogger<Housekeeper>());

        // Who wakes whom.
        pleg.PodChanged += (uid, look) =>
        {
            probes.Observe(uid);
            if (look)
            {
                workers.Wake(uid);
            }
        };
        pleg.Relisted += housekeeper.Relisted;
        pleg.Relisted += relists.Beat;
        probes.Changed += u => workers.Wake(u.Pod.Uid);
        tokens.Due += workers.Wake;
        onObjectChange(workers.Wake);
        workers.PodFinished += _ => housekeeper.Request();
        _loop.PodRemoved += _ => housekeeper.Request();
        _runtimeState.Changed += _loop.WakeAll;
        _runtimeState.Changed += pleg.RequestFullRelist;

        if (api is not null)
        {
            var mirrors = new MirrorPodController(
                new MirrorPodClient(api), new MirrorPodView(pods, () => nodeInfo.Current, node, workers.UnfinishedStaticPods, () => takenOver.IsCompleted),
                time, loggers.CreateLogger<MirrorPodController>());
            loop.Handled += mirrors.Observe;
            workers.PodFinished += mirrors.Finished;
            nodeInfo.Changed += mirrors.Observe;
            nodeInfo.Gone += () => mirrors.Observe((Node?)null);
            _loops.Add(mirrors.RunAsync);
            _loops.Add(async token =>
            {
                await takenOver.WaitAsync(token);
                mirrors.RequestAll();
                await Task.Delay(Timeout.InfiniteTimeSpan, time, token);
            });
        }

        // HTTP.
        _server = Server(settings, new KubeletServerContent(
            new ServedPods(pods, cache, statuses, podRuntime), new CriContainerStreams(runtime), new ContainerLogReader(_inotify, blocking, time),
            [new HealthCheck("syncloop", () => pleg.Unhealthy is { } sick ? sick : null)])
        {
            Metrics = metrics,
            ProbeMetrics = probeMetrics,
            SystemLogs = new SystemLogSources("/var/log", [paths.PodLogs], blocking, time),
        }, api, network, nodeInfo, loggers);

        _loops.Add(_runtimeState.RunAsync);
        _loops.Add(token => RunWhenRuntimeAnswersAsync(pleg.RunAsync, token));
        _loops.Add(token => RunSourcesAsync(merger, api, heartbeat, nodeInfo, pleg, loggers, token));
        _loops.Add(_loop.RunAsync);
        _loops.Add(housekeeper.RunAsync);
        CounterFamily collected = metrics.Counter("kubelet_image_garbage_collected_total", "Total number of images garbage collected by the kubelet, whether through disk usage or image age.", "reason");
        var imageGarbage = Own(new ImageGarbageCollector(
            runtime, images, settings.ImageGarbage,
            new ImageGarbageNeeds(token => NodeGarbage.ImageSpaceAsync(images, blocking, token), () => cache.All, _nodeEvents.Record, reason => collected.With(reason).Increment()) { PullRecords = pullRecords },
            time, loggers.CreateLogger<ImageGarbageCollector>()));
        var dead = new ContainerGarbageCollector(runtime, paths, blocking, settings.DeadContainers, time, loggers.CreateLogger<ContainerGarbageCollector>());
        _loops.Add(NodeGarbage.Pruning(dead, settings.DeadContainers, cache, workers, pleg));
        var garbage = new NodeGarbage(
            dead, imageGarbage, podRuntime, uid => takenOver.IsCompleted && loop.Idle ? NodeGarbage.ClaimOf(workers.StateOf(uid)) : PodClaim.Wanted, _nodeEvents, time, _logger);
        _loops.Add(token => RunWhenRuntimeAnswersAsync(garbage.RunAsync, token));
        var evictions = new EvictionActions(() => _active.Active, () => workers, ender, podEvents, _nodeEvents, () => garbage);
        evictions.Register(metrics);
        eviction = new EvictionManager(
            settings.Eviction,
            new NodeUseObserver(new NodeUseParts(host, paths, runtime, images, new CgroupUsage(cgroups, settings.Cgroups), cache.Get, blocking), time),
            evictions, time, loggers.CreateLogger<EvictionManager>());
        eviction.Changed += () => reporter?.Wake();
        _loops.Add(token => RunWhenRuntimeAnswersAsync(eviction.RunAsync, token));
        var rotator = new ContainerLogRotator(
            runtime, () => RunningLogs(cache), settings.LogRotation, blocking, time, loggers.CreateLogger<ContainerLogRotator>());
        _loops.Add(token => RunWhenRuntimeAnswersAsync(rotator.RunAsync, token));
        _loops.Add(token => EventsAsync(runtimeConnection, pleg, loggers, token));
        if (reporter is not null && heartbeat is not null)
        {
            _loops.Add(reporter.RunAsync);
            var lease = new NodeLeaseController(heartbeat, nodeInfo, settings.Node.LeaseDuration, time, loggers.CreateLogger<NodeLeaseController>());
            _loops.Add(lease.RunAsync);
            reporter.ConnectionsDoubtful += DropOtherConnections;
            lease.ConnectionsDoubtful += DropOtherConnections;

            void DropOtherConnections()
            {
                api?.DropConnections();
                eventClient?.DropConnections();
            }
        }
    }

    /// <summary>Runs until cancelled, or until a loop ends with an error, which is then this call's. Pods are left running.</summary>
    /// <param name="ready">Called once everything has been started.</param>
    /// <param name="cancellationToken">Ends the agent, not its pods.</param>
    public async Task RunAsync(Action ready, CancellationToken cancellationToken)
    {
        await StartEvents.ToldAsync(() => SetUpAsync(cancellationToken), _nodeEvents, _broadcaster, _time);
        using CancellationTokenRegistration stopping = cancellationToken.Register(_stop.Cancel);
        List<Task> running = [.. _loops.Select(l => Task.Run(() => l(_stop.Token), CancellationToken.None))];
        ready();
        Task first = await Task.WhenAny(running);
        await _stop.CancelAsync();
        await Task.WhenAny(Task.WhenAll(running), Task.Delay(TimeSpan.FromSeconds(5), _time, CancellationToken.None));
        await first;
    }

    private async Task SetUpAsync(CancellationToken cancellationToken)
    {
        NodeFolders.Prepare(_settings.Paths);
        LimitOwnProcess();
        bool swapped = !_settings.FailSwapOn && await _blocking.RunAsync(
            "tmpfs noswap", () => MemoryBackedVolumes.MayBeSwapped(new HostInformation(), new Mounter(), _settings.Paths.Root), cancellationToken);
        await _qos.StartAsync(cancellationToken);
        foreach ((string type, string reason, string message) in StartEvents.Of(new StartFindings(_cgroupWarning, swapped, _qos.AllocatableError, _qos.Enforced)))
        {
            _nodeEvents.Record(type, reason, message);
        }

        if (_qos.AllocatableError is { } notEnforced)
        {
            LogNotEnforced(notEnforced);
        }

        _loops.Add(QosAsync);
        await _server.StartAsync(cancellationToken);
    }

    // Without the capability for it the agent runs all the same, only less safe.
    private void LimitOwnProcess()
    {
        if (OwnProcess.SetOomScore(_settings.OomScoreAdj) is { } score)
        {
            LogLimit("oomScoreAdj", _settings.OomScoreAdj, score);
        }

        if (OwnProcess.SetMaximumOpenFiles((ulong)_settings.MaxOpenFiles) is { } files)
        {
            LogLimit("maxOpenFiles", _settings.MaxOpenFiles, files);
        }
    }

    /// <summary>Completes once every source has delivered and the loop has handled all of it: only then is what no source wants an orphan.</summary>
    private static async Task TakenOverAsync(PodSourceMerger merger, SyncLoop loop)
    {
        await merger.WhenAllReady;
        await loop.CaughtUpAsync();
    }

    private async Task RunSourcesAsync(
        PodSourceMerger merger, KubernetesClient? api, KubernetesClient? heartbeat, NodeInfo info, PodLifecycleEventGenerator pleg, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        // What runs has to be known before anything is started: a pod whose containers run must not get a second set.
        await pleg.FirstRelist.WaitAsync(cancellationToken);
        try
        {
            await _recoverPulls(cancellationToken);
        }
        catch (CriException e)
        {
            // The intents stay: what they name still counts as pulled by this node.
            LogPulls(e.Message);
        }

        List<Task> sources = [];
        if (_settings.StaticPodPath is { } path)
        {
            var files = new StaticFilePodSource(path, _settings.Node.NodeName, _settings.FileCheckFrequency, _inotify, _blocking, _time, loggers.CreateLogger<StaticFilePodSource>());
            sources.Add(files.RunAsync(merger, cancellationToken));
        }

        if (_settings.StaticPodUrl is { } url)
        {
            sources.Add(new StaticUrlPodSource(url, _settings.StaticPodUrlHeaders, _settings.Node.NodeName, _settings.HttpCheckFrequency, _time, loggers.CreateLogger<StaticUrlPodSource>()).RunAsync(merger, cancellationToken));
        }

        if (api is not null && heartbeat is not null)
        {
            var nodes = new Informer<Node>(heartbeat, NodeInfo.InformerOptionsFor(_settings.Node.NodeName), loggers.CreateLogger<Informer<Node>>(), _time);
            var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            info.Changed += _ => seen.TrySetResult();
            nodes.AddHandler(info);
            sources.Add(nodes.RunAsync(cancellationToken));
            var informer = new Informer<Pod>(api, ApiServerPodSource.OptionsFor(_settings.Node.NodeName), loggers.CreateLogger<Informer<Pod>>(), _time);
            sources.Add(new ApiServerPodSource(informer, seen.Task, _time).RunAsync(merger, cancellationToken));
        }

        await (sources.Count == 0 ? Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken) : await Task.WhenAny(sources));
    }

    private static IEnumerable<RunningLog> RunningLogs(PodStatusCache cache) => cache.All.SelectMany(p => p.Containers)
        .Where(c => c.State == RuntimeContainerState.Running).Select(c => new RunningLog(c.Id.Id, c.LogPath));

    private async Task QosAsync(CancellationToken cancellationToken)
    {
        using var minute = new PeriodicTimer(TimeSpan.FromMinutes(1), _time);
        while (await minute.WaitForNextTickAsync(cancellationToken))
        {
            await UpdateSharesAsync(cancellationToken);
        }
    }

    // A class that keeps its old shares for a minute is no reason to hold back a pod, and none to end the agent.
    private async Task UpdateSharesAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _qos.UpdateAsync(_active, cancellationToken);
        }
        catch (Exception e) when (e is CgroupException or IOException)
        {
            LogQos(e.Message);
        }
    }

    private async Task RunWhenRuntimeAnswersAsync(Func<CancellationToken, Task> run, CancellationToken cancellationToken)
    {
        await _runtimeState.FirstRuntimeReady.WaitAsync(cancellationToken);
        await run(cancellationToken);
    }

    private async Task EventsAsync(CriConnection connection, PodLifecycleEventGenerator pleg, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        await pleg.FirstRelist.WaitAsync(cancellationToken);
        await RuntimeEvents.RunAsync(connection, pleg, _time, loggers, cancellationToken);
    }

    private NodeIdentity? Identity(KubeletSettings settings, ILoggerFactory loggers, TimeProvider time)
    {
        if (settings.Identity is not { } identity)
        {
            return null;
        }

        var made = Own(new NodeIdentity(identity, loggers, time));
        _loops.Add(made.RunAsync);
        return made;
    }

    private static UserNamespaces UserNamespacesOf(KubeletSettings settings, BlockingWork blocking)
    {
        try
        {
            return UserNamespaces.Load(SubordinateIds.Read(settings.UserNamespaceIdsPerPod).Verified(settings.Node.MaxPods), settings.Paths, blocking);
        }
        catch (FormatException e)
        {
            throw new StartRefusedException(e.Message, e);
        }
    }

    private PodResourceState ResourceState(string name, BlockingWork blocking)
    {
        string path = Path.Combine(_settings.Paths.Root, name);
        const int mode = 0x180; // 0600
        return PodResourceState.Load(
            name, File.Exists(path) ? File.ReadAllBytes(path) : null, content => blocking.RunAsync(path, () => AtomicFile.Write(path, content, mode), CancellationToken.None), _logger, _time);
    }

    private KubernetesClient? Client(KubernetesClientOptions options, RequestMetrics metrics)
    {
        if (_identity is null)
        {
            return null;
        }

        KubernetesClient client = Own(new KubernetesClient(_identity.Configuration, options with { Metrics = metrics }, _time));
        _identity.Rotated += client.DropConnections;
        return client;
    }

    private T Own<T>(T value)
        where T : IDisposable
    {
        _owned.Add(value);
        return value;
    }

    private static JsonObject? CreatePatch(Pod before, Pod after) =>
        StrategicMergePatch.Create(before, after) is { Count: > 0 } patch ? patch : null;

    private IEventRecorder Events(KubernetesClient? client, string node, ILoggerFactory loggers)
    {
        if (client is null)
        {
            return new NoEvents();
        }

        _broadcaster = new EventBroadcaster(client, "kubelet", node, loggers.CreateLogger<EventBroadcaster>(), _time);
        _loops.Add(_broadcaster.RunAsync);
        return _broadcaster;
    }

    private static async Task<string> RuntimeHandlerAsync(KubernetesClient? api, string name, CancellationToken cancellationToken) =>
        api is null ? throw new ApiUnreachableException($"RuntimeClass {name}: this node agent runs without an API server")
            : (await api.GetAsync<RuntimeClass>(null, name, cancellationToken: cancellationToken)).Handler ?? "";

    private IServiceLister Services(KubernetesClient? api, ILoggerFactory loggers)
    {
        if (api is null)
        {
            return new NoServices();
        }

        var informer = new Informer<Service, Service>(api, ServiceLister.Options, ServiceLister.Projection, loggers.CreateLogger<ServiceLister>(), _time);
        _loops.Add(informer.RunAsync);
        return new ServiceLister(informer);
    }

    private IPodObjectStore ObjectStore(KubernetesClient? api, ILoggerFactory loggers, out Action<Action<PodUid>> onChange)
    {
        if (api is null)
        {
            onChange = _ => { };
            return new NoApiObjects();
        }

        var store = Own(new PodObjectStore(
            new PodObjectSources(
                api,
                o => new Informer<ConfigMap>(api, o, loggers.CreateLogger<PodObjectStore>(), _time),
                o => new Informer<Secret>(api, o, loggers.CreateLogger<PodObjectStore>(), _time)),
            _settings.Objects, _time));
        onChange = wake => store.Changed += wake;
        return store;
    }

    private KubeletServer Server(KubeletSettings settings, KubeletServerContent content, KubernetesClient? api, HostNetwork network, NodeInfo nodeInfo, ILoggerFactory loggers)
    {
        IServingCertificate certificate = ServingCertificate(settings, api, network, nodeInfo, loggers);
        ClientCABundle? clientCA = settings.Server.ClientCAFile.Length > 0 ? ClientCABundle.Open(settings.Server.ClientCAFile, _time) : null;
        var security = new KubeletServerSecurity(
            certificate,
            new RequestAuthenticator(settings.Server, () => clientCA?.Current, api, _time, loggers.CreateLogger<RequestAuthenticator>()),
            settings.Server.Authorization == AuthorizationMode.AlwaysAllow || api is null ? new AlwaysAllowAuthorizer() : new SubjectAccessReviewAuthorizer(api, settings.Server, _time));
        return new KubeletServer(settings.Server, security, content, loggers, _time);
    }

    private IServingCertificate ServingCertificate(KubeletSettings settings, KubernetesClient? api, HostNetwork network, NodeInfo nodeInfo, ILoggerFactory loggers)
    {
        if (!settings.Certificates.ServerTlsBootstrap || api is null)
        {
            return NodeCertificates.FromFiles(settings.Certificates, [.. network.AllAddresses().Where(a => !IPAddress.IsLoopback(a))], _time);
        }

        CertificateManager manager = NodeCertificates.ServingManager(settings.Certificates, nodeInfo, api, loggers.CreateLogger<CertificateManager>(), _time);
        nodeInfo.Changed += _ => manager.TemplateChanged();
        _loops.Add(manager.RunAsync);
        return new ManagedServingCertificate(manager);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _server.DisposeAsync();
        foreach (IDisposable owned in Enumerable.Reverse(_owned))
        {
            owned.Dispose();
        }

        _stop.Dispose();
    }
}
