using System.Text;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using ContainerId = NodeAgent.Kubelet.Pods.ContainerId;

namespace NodeAgent.Composition;

/// <summary>Health as the node's status shows it.</summary>
internal sealed class NodeHealth(PodLifecycleEventGenerator pleg) : INodeHealth
{
    public string? PlegError => pleg.Unhealthy;

    public string? StorageError => null;

    public bool ShuttingDown => false;

    // As upstream, only volumes that a controller attaches and detaches are named, and none of the kinds we mount is such.
    public IReadOnlyList<string>? VolumesInUse => [];
}

/// <summary>What probes ask of the pod core.</summary>
internal sealed class ProbeTargets(PodStatusCache cache, PodManager pods, Func<PodUid, PodStatus?> lastStatus, Func<INodeInfo> node) : IProbeTargets
{
    public RuntimeContainerStatus? Find(PodUid uid, string containerName) => cache.Get(uid)?.Find(containerName);

    public string? PodIP(PodUid uid)
    {
        if (pods.Get(uid) is { IsHostNetwork: true })
        {
            return node().HostIPs is [var host, ..] ? host : null;
        }

        return cache.Get(uid)?.IPs is [var ip, ..] ? ip : null;
    }

    public PodStatus? LastStatus(PodUid uid) => lastStatus(uid) ?? pods.Get(uid)?.Status;
}

/// <summary>exec probes through the runtime.</summary>
internal sealed class CriExecProber(IRuntimeService runtime) : IExecProber
{
    public async Task<ExecProbeResult> ExecAsync(ContainerId container, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var request = new ExecSyncRequest { ContainerId = container.Id, Timeout = (long)Math.Ceiling(timeout.TotalSeconds) };
        request.Cmd.AddRange(command);
        try
        {
            ExecSyncResponse reply = await runtime.ExecSyncAsync(request, cancellationToken);
            return new ExecProbeResult(reply.ExitCode, Encoding.UTF8.GetBytes(reply.Stdout.ToStringUtf8() + reply.Stderr.ToStringUtf8()), TimedOut: false);
        }
        catch (CriException e) when (e.Kind == CriErrorKind.DeadlineExceeded)
        {
            return new ExecProbeResult(-1, Encoding.UTF8.GetBytes($"command timed out after {timeout.TotalSeconds:0} s"), TimedOut: true);
        }
    }
}

/// <summary>The pods as the HTTP server shows them.</summary>
internal sealed class ServedPods(PodManager pods, PodStatusCache cache, StatusManager statuses, IPodRuntime runtime) : IServedPods
{
    public IReadOnlyList<Pod> All => [.. pods.All.Select(Newest)];

    public Pod? Find(string @namespace, string name) => pods.Find(@namespace, name) is { } pod ? Newest(pod) : null;

    public RuntimePodStatus? Observed(PodUid uid) => cache.Get(uid);

    public async Task<IReadOnlyList<Pod>> RunningAsync(CancellationToken cancellationToken) =>
    [
        .. (await runtime.ListPodsAsync(cancellationToken))
            .Where(l => l.Containers.Any(c => c.State == RuntimeContainerState.Running))
            .Select(l => new Pod
            {
                Metadata = new ObjectMeta { Namespace = l.Pod.Namespace, Name = l.Pod.Name, Uid = l.Pod.Uid.Value },
                Spec = new PodSpec
                {
                    Containers = [.. l.Containers.Where(c => c.State == RuntimeContainerState.Running).Select(c => new Kubernetes.Objects.Container { Name = c.Name, Image = c.Image })],
                },
                Status = new PodStatus(),
            }),
    ];

    private Pod Newest(Pod pod) => pod with { Status = statuses.StatusOf(pod) };
}

/// <summary>Pods that use resources of the node, with those that are allocated to them.</summary>
internal sealed class AdmittedPods(PodManager pods, Func<Pod, Pod> allocated, Func<PodUid, bool> terminating)
{
    public IEnumerable<Pod> Active => pods.All.Where(p => p.Status.Phase is not ("Failed" or "Succeeded") && !terminating(p.Uid)).Select(allocated);

    public bool Knows(PodUid uid) => pods.Get(uid) is not null;
}

/// <summary>For the classes' shares.</summary>
internal sealed class ActivePods(AdmittedPods pods) : IActivePods
{
    public IReadOnlyList<Pod> Active => [.. pods.Active];
}
