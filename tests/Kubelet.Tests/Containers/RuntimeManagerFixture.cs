using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri;
using NodeAgent.Cri.Connection;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Tests.Volumes;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Containers;

/// <summary>The runtime manager before a fake runtime on a real socket, with folders of its own.</summary>
internal sealed class RuntimeManagerFixture : IPodEventRecorder, IServiceLister, IProbeManager, IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("runtime");
    internal BlockingWork Work => _work;

    private readonly BlockingWork _work = new();
    private readonly CriConnection _connection;

    private RuntimeManagerFixture(string resolvConf)
    {
        Paths = new KubeletPaths(Path.Combine(_folder.FullName, "root"), Path.Combine(_folder.FullName, "log", "pods"));
        _connection = new CriConnection(CriEndpoint.Parse("unix://" + Socket), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);
        Runtime = new RuntimeServiceClient(_connection);
        var config = new ContainerConfigOptions(
            new ContainerLimitsOptions(8L << 30, true, 100_000, true, false, []), new DnsOptions(["10.96.0.10"], "cluster.local", resolvConf), "/var/lib/kubelet/seccomp", false);
        Manager = new RuntimeManager(
            Runtime, new ImageServiceClient(_connection), new RuntimeManagerOptions(config, ImageOptions.Default, TimeSpan.FromMinutes(5)),
            new RuntimeManagerNeeds(this, Objects, this, new FakeNodeInfo(), this, Paths, new SubPathBinder(Paths, new Mounter(), _work), _work, (name, _) => Task.FromResult(name), new EnvironmentFiles(_work))
            {
                HandlerFeatures = _ => Features,
                Starts = new PodStartMetrics(Metrics),
                UserNamespaces = UserNamespaces.Load(UserNamespaceRange.Everything(65536), Paths, _work),
            },
            TimeProvider.System, NullLogger<RuntimeManager>.Instance);
    }

    /// <summary>Ids of containers whose cgroup was emptied by force.</summary>
    public List<string> Killed { get; } = [];

    public event Action<ProbeUpdate>? Changed
    {
        add { }
        remove { }
    }

    public KubeletPaths Paths { get; }

    public RuntimeManager Manager { get; }

    public IRuntimeService Runtime { get; }

    public IImageService Images => new ImageServiceClient(_connection);

    public FakeRuntime Fake { get; private set; } = null!;

    /// <summary>What the runtime's default handler can do.</summary>
    public NodeRuntimeHandlerFeatures? Features { get; set; }

    public MetricsRegistry Metrics { get; } = new();

    public FakeObjectStore Objects { get; } = new();

    public List<(string Reason, string Message)> Events { get; } = [];

    public bool HasSynced => true;

    private string Socket => Path.Combine(_folder.FullName, "r.sock");

    public static async Task<RuntimeManagerFixture> StartAsync(string resolvConf = "")
    {
        var fixture = new RuntimeManagerFixture(resolvConf);
        fixture.Fake = await FakeRuntime.StartAsync(fixture.Socket, new FakeRuntimeOptions { WriteLogs = true });
        fixture.Fake.AddImage("busybox:1");
        return fixture;
    }

    public static Pod Pod(string restartPolicy = "Always", params Container[] containers) => TestPods.Pod(restartPolicy: restartPolicy) is var p
        ? p with { Spec = p.Spec with { Containers = containers.Length > 0 ? containers : [Container("main")] } }
        : null!;

    public static Container Container(string name) => new() { Name = name, Image = "busybox:1", ImagePullPolicy = "IfNotPresent" };

    /// <summary>One observation and one pass.</summary>
    public async Task<PodSyncResult> PassAsync(Pod pod, CancellationToken cancellationToken = default)
    {
        Directory.CreateDirectory(Paths.Pod(pod.Uid));
        RuntimePodStatus status = await Manager.GetPodStatusAsync(pod.Ref, default);
        return await Manager.SyncPodAsync(new PodSyncRequest(pod, status, ImmutableDictionary<string, MountedVolume>.Empty, "/kubepods/x", ["10.0.0.1"], null)
        {
            KillContainer = (id, _) =>
            {
                Killed.Add(id);
                return Task.CompletedTask;
            },
        }, cancellationToken);
    }

    public IEnumerable<string> Calls(params string[] methods) => Fake.Calls.Select(c => c.Method.Split('/')[^1]).Where(methods.Contains);

    public IReadOnlyList<Service> InNamespace(string @namespace) => [];

    public void Record(Pod pod, string? containerName, string type, string reason, string message)
    {
        lock (Events)
        {
            Events.Add((reason, message));
        }
    }

    public void AddPod(Pod pod)
    {
    }

    public void RemovePod(PodUid uid)
    {
    }

    public void StopLivenessAndStartup(PodUid uid)
    {
    }

    public void Observe(PodUid uid)
    {
    }

    public ProbeResult? Get(ContainerId container, ProbeType type) => null;

    public bool HasProbe(PodUid uid, string containerName, ProbeType type) => false;

    public async ValueTask DisposeAsync()
    {
        Manager.Dispose();
        _connection.Dispose();
        await Fake.DisposeAsync();
        _work.Dispose();
        _folder.Delete(recursive: true);
    }
}
