using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>Pods of one namespace as an API server holds them; a write comes back as an update, as a watch brings it.</summary>
internal sealed class ApiPods(TimeProvider time) : IPodStatusWriter
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Pod> _pods = [];
    private readonly Dictionary<string, List<string>> _phases = [];
    private long _version;

    public Action<PodUpdateKind, Pod>? Changed { get; set; }
    public bool Away { get; set; }

    /// <summary>Writes of statuses wait for it.</summary>
    public Task Held { get; set; } = Task.CompletedTask;

    public int Calls { get; private set; }
    public int Reads { get; private set; }
    public int Patches { get; private set; }

    public Pod? Find(string name)
    {
        lock (_lock)
        {
            return _pods.GetValueOrDefault(name);
        }
    }

    public string[] Phases(string name)
    {
        lock (_lock)
        {
            return [.. _phases.GetValueOrDefault(name) ?? []];
        }
    }

    public void Watch(Action<PodUpdateKind, Pod> changed)
    {
        lock (_lock)
        {
            Changed = changed;
            foreach (Pod pod in _pods.Values)
            {
                changed(PodUpdateKind.Add, pod);
            }
        }
    }

    public void Put(Pod pod)
    {
        lock (_lock)
        {
            pod = pod with { Metadata = pod.Metadata with { ResourceVersion = (++_version).ToString(CultureInfo.InvariantCulture) } };
            _pods[pod.Metadata.Name!] = pod;
            Changed?.Invoke(PodUpdateKind.Update, pod);
        }
    }

    public void Delete(string name, long grace = 30)
    {
        lock (_lock)
        {
            if (_pods.GetValueOrDefault(name) is { } pod)
            {
                Put(pod with { Metadata = pod.Metadata with { DeletionTimestamp = time.GetUtcNow(), DeletionGracePeriodSeconds = grace } });
            }
        }
    }

    public void DeleteByForce(string name)
    {
        lock (_lock)
        {
            if (_pods.Remove(name, out Pod? pod))
            {
                Changed?.Invoke(PodUpdateKind.Remove, pod);
            }
        }
    }

    public Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            Calls++;
            Reads++;
            return Away ? throw new HttpRequestException("connection refused") : Task.FromResult(_pods.GetValueOrDefault(name));
        }
    }

    public async Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken)
    {
        await Held.WaitAsync(cancellationToken);
        return Patch(current, status, exactly, cancellationToken);
    }

    private Pod? Patch(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            Calls++;
            if (Away)
            {
                throw new HttpRequestException("connection refused");
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (_pods.GetValueOrDefault(current.Metadata.Name!) is not { } known || known.Metadata.Uid != current.Metadata.Uid)
            {
                return null;
            }

            if (exactly && known.Metadata.ResourceVersion != current.Metadata.ResourceVersion)
            {
                throw new StalePodException("the object has been modified", new InvalidOperationException());
            }

            Patches++;
            (_phases.TryGetValue(known.Metadata.Name!, out List<string>? phases) ? phases : _phases[known.Metadata.Name!] = []).Add(status.Phase ?? "");
            Pod next = known with { Status = status };
            Put(next);
            return _pods[known.Metadata.Name!];
        }
    }

    public Task DeleteAsync(Pod pod, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (Away)
            {
                throw new HttpRequestException("connection refused");
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (_pods.GetValueOrDefault(pod.Metadata.Name!)?.Metadata.Uid == pod.Metadata.Uid)
            {
                _pods.Remove(pod.Metadata.Name!, out Pod? last);
                Changed?.Invoke(PodUpdateKind.Remove, last!);
            }

            return Task.CompletedTask;
        }
    }

    public override string ToString()
    {
        lock (_lock)
        {
            return string.Join(", ", _pods.Values.Select(p => $"{p.Metadata.Name}={p.Status.Phase}{(p.Metadata.DeletionTimestamp is null ? "" : " deleting")}"));
        }
    }
}

internal sealed class RecordedEvents : IPodEventRecorder
{
    public ConcurrentQueue<(string Pod, string Reason, string Message)> All { get; } = new();

    public void Record(Pod pod, string? containerName, string type, string reason, string message) => All.Enqueue((pod.Metadata.Name ?? "", reason, message));
}

internal sealed class NoServicesHere : IServiceLister
{
    public bool HasSynced => true;

    public IReadOnlyList<Service> InNamespace(string @namespace) => [];
}

internal sealed class AdmitAll : IPodAdmission
{
    public Task<(string Reason, string Message)?> RejectAsync(Pod pod, CancellationToken cancellationToken) => Task.FromResult<(string, string)?>(null);
}

internal sealed class NoVolumes : IVolumeManager
{
    public string? Fails { get; set; }

    /// <summary>Every volume is there; else none.</summary>
    public bool GivesAll { get; set; }

    public Task<ImmutableDictionary<string, MountedVolume>> MountAsync(Pod pod, CancellationToken cancellationToken) =>
        Fails is not null ? throw new VolumeSetupException("data", Fails) : Task.FromResult(GivesAll ? All(pod) : ImmutableDictionary<string, MountedVolume>.Empty);

    private static ImmutableDictionary<string, MountedVolume> All(Pod pod) => pod.Spec.Volumes.Where(v => v.Name is { Length: > 0 }).DistinctBy(v => v.Name)
        .ToImmutableDictionary(v => v.Name!, v => v.Image is null ? new MountedVolume(v.Name!, "/nowhere/" + v.Name, false, "emptyDir") : new MountedVolume(v.Name!, "", true, MountedVolume.ImageKind));

    /// <summary>Where it is set, tearing this pod's volumes down does not come back.</summary>
    public PodUid? Frozen { get; set; }

    public Task UnmountAsync(PodUid uid, CancellationToken cancellationToken) =>
        uid == Frozen ? Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken) : Task.CompletedTask;

    public bool HasMounts(PodUid uid) => false;
}

internal sealed class NoCgroups : IPodCgroupManager
{
    private readonly ConcurrentDictionary<PodUid, bool> _made = new();

    public ConcurrentDictionary<PodUid, CgroupLimits> Set { get; } = new();

    public ConcurrentQueue<CgroupLimits> Writes { get; } = new();

    public long? Usage { get; set; } = 0;

    public Action<CgroupLimits>? Setting { get; set; }

    public string CgroupParent(Pod pod) => "/kubepods/x";

    public Task EnsureAsync(Pod pod, CancellationToken cancellationToken)
    {
        _made[pod.Uid] = true;
        Set[pod.Uid] = Limits(pod);
        return Task.CompletedTask;
    }

    public bool Exists(Pod pod) => _made.ContainsKey(pod.Uid);

    public CgroupLimits Limits(Pod pod) => PodCgroupLimits.ForPod(pod, true, 100_000, -1);

    public Task<CgroupLimits> ReadAsync(Pod pod, CancellationToken cancellationToken) => Task.FromResult(Set.GetValueOrDefault(pod.Uid, CgroupLimits.None));

    public Task<long?> MemoryUsageAsync(Pod pod, CancellationToken cancellationToken) => Task.FromResult(Usage);

    public Task SetAsync(Pod pod, CgroupLimits limits, CancellationToken cancellationToken)
    {
        Setting?.Invoke(limits);
        Writes.Enqueue(limits);
        CgroupLimits known = Set.GetValueOrDefault(pod.Uid, CgroupLimits.None);
        Set[pod.Uid] = known with { Memory = limits.Memory ?? known.Memory, CpuQuota = limits.CpuQuota ?? known.CpuQuota, CpuShares = limits.CpuShares ?? known.CpuShares };
        return Task.CompletedTask;
    }

    public Task RemoveAsync(PodUid uid, CancellationToken cancellationToken)
    {
        _made.TryRemove(uid, out _);
        return Task.CompletedTask;
    }

    public Task KillContainerAsync(Pod pod, string containerId, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<IReadOnlyList<PodUid>> ListAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<PodUid>>([.. _made.Keys]);
}

internal sealed class NoProbes : IProbeManager
{
    public event Action<ProbeUpdate>? Changed
    {
        add { }
        remove { }
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
}
