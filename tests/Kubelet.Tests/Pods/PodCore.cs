using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri;
using NodeAgent.Cri.Connection;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Cleanup;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Tests.Volumes;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>
/// The pods' whole way before a fake runtime on a real socket and an API server in memory, in virtual time: workers, syncer, runtime
/// manager, PLEG, status manager, housekeeping. The agent's life can be cut off at any point and begun again.
/// </summary>
internal sealed class PodCore : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly string[] Changing = ["RunPodSandbox", "CreateContainer", "StartContainer", "StopContainer", "StopPodSandbox", "RemoveContainer", "RemovePodSandbox"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("podcore");
    private readonly List<Life> _lives = [];

    private PodCore()
    {
        Paths = new KubeletPaths(Path.Combine(_folder.FullName, "root"), Path.Combine(_folder.FullName, "log", "pods"));
        Api = new ApiPods(Time);
    }

    public FakeTimeProvider Time { get; } = new();
    public KubeletPaths Paths { get; }
    public ApiPods Api { get; }
    public NoVolumes Volumes { get; } = new();
    public NoCgroups Cgroups { get; } = new();
    public ConcurrentDictionary<string, byte[]> Files { get; } = new();
    public (string Reason, string Message)? NoRoom { get; set; }

    /// <summary>Ids for pods with hostUsers: false: room for three of them.</summary>
    public static UserNamespaceRange Ids { get; } = new(65536, 3 * 65536, 65536);

    public FakeRuntime Fake { get; private set; } = null!;
    public string Socket => Path.Combine(_folder.FullName, "r.sock");
    public Life Agent => _lives[^1];
    public List<string> Breaches { get; } = [];

    /// <summary>What made passes fail.</summary>
    public ConcurrentQueue<Exception> Faults { get; } = new();

    private string PullsRoot(int life) => Path.Combine(_folder.FullName, $"pulls-{life}");

    private PodResourceState State(string name) => PodResourceState.Load(
        name, Files.GetValueOrDefault(name),
        content =>
        {
            Files[name] = content;
            return Task.CompletedTask;
        }, NullLogger.Instance);

    public static async Task<PodCore> StartAsync(bool agent = true)
    {
        var core = new PodCore();
        core.Fake = await FakeRuntime.StartAsync(core.Socket, new FakeRuntimeOptions { WriteLogs = true, Time = core.Time });
        core.Fake.AddImage("busybox:1");
        if (agent)
        {
            core.StartAgent();
        }

        return core;
    }

    public static Pod Pod(string name = "web", string restartPolicy = "Always", string[]? init = null, params string[] containers) => TestPods.Pod(name) is var p
        ? p with
        {
            Spec = p.Spec with
            {
                RestartPolicy = restartPolicy,
                InitContainers = [.. (init ?? []).Select(Container)],
                Containers = [.. (containers.Length > 0 ? containers : ["main"]).Select(Container)],
            },
        }
        : null!;

    public static Container Container(string name) => new() { Name = name, Image = "busybox:1", ImagePullPolicy = "IfNotPresent" };

    public void StartAgent(bool sourcesReady = true)
    {
        var life = new Life(this);
        _lives.Add(life);
        life.Start(sourcesReady);
    }

    /// <summary>As kill -9 does: what was under way is nobody's any more.</summary>
    public void KillAgent()
    {
        Api.Changed = null;
        // A dead process does not tidy up its pulls' files, which this one's cancelled tasks do: the next life gets them as they are now.
        foreach (string file in Directory.GetFiles(Agent.PullsRoot, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(PullsRoot(_lives.Count), Path.GetRelativePath(Agent.PullsRoot, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            try
            {
                File.Copy(file, copy);
            }
            catch (FileNotFoundException)
            {
                // It was just being removed, or had not its name yet: either is an instant at which a process can die.
            }
        }

        Agent.End();
    }

    public string[] Changes(int from = 0) => [.. Fake.Calls.Skip(from).Select(c => c.Method.Split('/')[^1]).Where(Changing.Contains)];

    public FakeContainer[] Running(string name = "main") =>
        [.. Fake.Containers.Where(c => c.Status.Metadata.Name == name && c.Status.State == Cri.V1.ContainerState.ContainerRunning)];

    public bool Runs(string pod) => Api.Find(pod) is { Status.Phase: "Running" } p && p.Status.ContainerStatuses.All(s => s.State?.Running is not null);

    /// <summary>Lets virtual time go on until it holds, and watches what must never happen.</summary>
    public Task UntilAsync(Func<bool> holds, string what) => UntilAsync(holds, () => what);

    /// <summary>The same, with words that tell what is seen in the end.</summary>
    public async Task UntilAsync(Func<bool> holds, Func<string> what)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!holds())
        {
            Assert.False(limit.IsCancellationRequested, !limit.IsCancellationRequested ? "" : $"did not come: {what()}; calls {string.Join(' ', Changes().TakeLast(12))}; api {Api}; events {string.Join(" | ", Agent.Events.All.TakeLast(6))}");
            await StepAsync();
        }
    }

    public async Task PassAsync(TimeSpan time)
    {
        for (DateTimeOffset end = Time.GetUtcNow() + time; Time.GetUtcNow() < end;)
        {
            await StepAsync();
        }
    }

    private async Task StepAsync()
    {
        Watch();
        Time.Advance(TimeSpan.FromMilliseconds(250));
        // Real sockets need real time; only conditions decide, never how long this takes.
        await Task.Delay(3);
    }

    private void Watch()
    {
        foreach (var twice in Fake.Containers.Where(c => c.Status.State == Cri.V1.ContainerState.ContainerRunning)
            .GroupBy(c => (c.Status.Labels.GetValueOrDefault(CriNames.PodUid), c.Status.Metadata.Name)).Where(g => g.Count() > 1))
        {
            Breaches.Add($"container {twice.Key} runs {twice.Count()} times");
        }
    }

    public async ValueTask DisposeAsync()
    {
        Api.Changed = null;
        foreach (Life life in _lives)
        {
            life.End();
            life.Dispose();
        }

        await Fake.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private sealed class FaultLogger<T>(ConcurrentQueue<Exception> faults) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (exception is not null)
            {
                faults.Enqueue(exception);
            }
        }
    }

    /// <summary>One life of the agent.</summary>
    internal sealed class Life : IDisposable
    {
        private readonly PodCore _core;
        private readonly CancellationTokenSource _stop = new();
        private readonly CriConnection _connection;
        private readonly BlockingWork _work = new();
        private readonly RuntimeManager _manager;
        private readonly PodLifecycleEventGenerator _pleg;
        private readonly Housekeeper _housekeeper;
        private readonly SyncLoop _loop;
        private readonly AllocationManager _allocations;
        private readonly ImagePullRecords _pulls;

        public Life(PodCore core)
        {
            _core = core;
            PullsRoot = core.PullsRoot(core._lives.Count);
            FakeTimeProvider time = core.Time;
            _connection = new CriConnection(CriEndpoint.Parse("unix://" + core.Socket), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);
            var node = new FakeNodeInfo();
            var probes = new NoProbes();
            var objects = new FakeObjectStore();
            NoCgroups cgroups = core.Cgroups;
            var namespaces = UserNamespaces.Load(PodCore.Ids, core.Paths, _work);
            _pulls = new ImagePullRecords(PullsRoot, new PullVerification("NeverVerifyPreloadedImages", []), time, NullLogger<ImagePullRecords>.Instance);
            PodResourceState allocated = core.State(PodResourceState.AllocatedFile), actuated = core.State(PodResourceState.ActuatedFile);
            var config = new ContainerConfigOptions(
                new ContainerLimitsOptions(8L << 30, true, 100_000, true, false, []), new DnsOptions(["10.96.0.10"], "cluster.local", ""), "/var/lib/kubelet/seccomp", false);
            _manager = new RuntimeManager(
                new RuntimeServiceClient(_connection), new ImageServiceClient(_connection), new RuntimeManagerOptions(config, ImageOptions.Default, TimeSpan.FromMinutes(5)),
                new RuntimeManagerNeeds(Events, objects, new NoServicesHere(), node, probes, core.Paths, new SubPathBinder(core.Paths, new Mounter(), _work), _work, (name, _) => Task.FromResult(name), new EnvironmentFiles(_work))
                {
                    Resize = new ResizeNeeds(actuated, cgroups),
                    PullRecords = _pulls,
                    HandlerFeatures = _ => new NodeRuntimeHandlerFeatures { UserNamespaces = true },
                    UserNamespaces = namespaces,
                },
                time, NullLogger<RuntimeManager>.Instance);
            var cache = new PodStatusCache();
            _pleg = new PodLifecycleEventGenerator(_manager, cache, RelistOptions.Default, time, NullLogger<PodLifecycleEventGenerator>.Instance);
            var pods = new PodManager();
            PodWorkers? workers = null;
            Statuses = new StatusManager(core.Api, pods, uid => workers!.CouldHaveRunningContainers(uid), time, NullLogger<StatusManager>.Instance, _stop.Token);
            NoVolumes volumes = core.Volumes;
            var allocations = new AllocationManager(
                new AllocationParts(allocated, actuated, new ResizeConditions(time), pods, Events, (_, _) => Task.FromResult(core.NoRoom), ResizeOptions.None),
                () => Merger!.AllReady, time, NullLogger<AllocationManager>.Instance);
            _allocations = allocations;
            var syncer = new PodSyncer(
                new PodSyncParts(_manager, volumes, objects, probes, cgroups, new AdmitAll()) { Resizing = new PodResizing(allocations, actuated), UserNamespaces = namespaces },
                new PodSyncSurroundings(_pleg, cache, Statuses, node, Events, new StartGate(4, TimeSpan.FromSeconds(10), time), core.Paths, _work),
                time, NullLogger<PodSyncer>.Instance);
            allocations.Decided += uid => workers!.Wake(uid);
            workers = new PodWorkers(syncer, cache.AnythingRunning, time, new FaultLogger<PodWorkers>(core.Faults), _stop.Token);
            Workers = workers;
            SyncLoop? loop = null;
            Merger = new PodSourceMerger([PodSourceKind.Api], u => loop!.Post(u), _ => { });
            _loop = loop = new SyncLoop(pods, workers, Statuses, () => { }, NullLogger<SyncLoop>.Instance);
            _housekeeper = new Housekeeper(new HousekeepingParts(workers, cache, _manager, volumes, cgroups, core.Paths, _work, time) { UserNamespaces = namespaces }, () => Merger.AllReady && loop.Idle, NullLogger<Housekeeper>.Instance);
            _pleg.PodChanged += (uid, look) =>
            {
                if (look)
                {
                    workers.Wake(uid);
                }
            };
            _pleg.Relisted += _housekeeper.Relisted;
            _loop.PodRemoved += _ => _housekeeper.Request();
        }

        public string PullsRoot { get; }
        public PodWorkers Workers { get; }
        public StatusManager Statuses { get; }
        public PodSourceMerger Merger { get; }
        public RecordedEvents Events { get; } = new();

        public void Start(bool sourcesReady)
        {
            _ = Task.Run(() => _pleg.RunAsync(_stop.Token));
            _ = Task.Run(() => _housekeeper.RunAsync(_stop.Token));
            _ = Task.Run(() => _loop.RunAsync(_stop.Token));
            _ = Task.Run(() => _allocations.RunAsync(_stop.Token));
            _ = Task.Run(async () =>
            {
                await _pleg.FirstRelist.WaitAsync(_stop.Token);
                await _pulls.RecoverAsync(new ImageServiceClient(_connection), _stop.Token);
                if (sourcesReady)
                {
                    Deliver();
                }
            });
        }

        public void Deliver()
        {
            _core.Api.Watch((kind, pod) =>
            {
                if (kind == PodUpdateKind.Remove)
                {
                    Merger.Remove(PodSourceKind.Api, pod);
                }
                else
                {
                    Merger.Upsert(PodSourceKind.Api, pod);
                }
            });
            Merger.MarkReady(PodSourceKind.Api);
            _allocations.RetryPending(ResizeTriggers.Periodic);
        }

        public void End()
        {
            if (!_stop.IsCancellationRequested)
            {
                _stop.Cancel();
                _connection.Dispose();
            }
        }

        public void Dispose()
        {
            _manager.Dispose();
            _work.Dispose();
            _stop.Dispose();
        }
    }
}
