using NodeAgent.Kubelet.Admission;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Composition;

/// <summary>What admission looks at and acts on.</summary>
/// <param name="Node">The own node.</param>
/// <param name="Pods">The active pods, at their allocated resources.</param>
/// <param name="Statuses">Their newest statuses.</param>
/// <param name="Ender">Ends pods.</param>
/// <param name="Events">Events.</param>
/// <param name="Pressures">Pressure conditions that hold now.</param>
/// <param name="FreshNode">Reads the own Node anew; null without an API server.</param>
internal sealed record NodeAdmissionParts(
    NodeInfo Node, AdmittedPods Pods, StatusManager Statuses, PodEnder Ender, IPodEventRecorder Events, Func<IReadOnlyList<string>> Pressures,
    Func<CancellationToken, Task<Node>>? FreshNode);

/// <summary>Admission with the node and the other pods as they are now; one pod at a time. Source: pkg/kubelet/kubelet.go, lifecycle/predicate.go, preemption.</summary>
internal sealed class NodeAdmission(IPodAdmitHandler handlers, NodeAdmissionParts parts, TimeProvider time) : IPodAdmission, IDisposable
{
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private readonly HashSet<PodUid> _admitted = [];

    public void Dispose() => _oneAtATime.Dispose();

    public async Task<(string Reason, string Message)?> RejectAsync(Pod pod, CancellationToken cancellationToken)
    {
        if (parts.FreshNode is null)
        {
            return null;
        }

        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            _admitted.RemoveWhere(uid => !parts.Pods.Knows(uid));
            // Static pods run without an API server, and without it this node's object is not known.
            AdmitResult result = pod.IsStatic && parts.Node.Current is null ? AdmitResult.Admitted.Instance : await AskAsync(pod, parts.Node.Current, cancellationToken);
            if (result is AdmitResult.Rejected rejected)
            {
                return (rejected.Reason, rejected.Message);
            }

            if (result is AdmitResult.AfterPreemption preemption)
            {
                await Task.WhenAll(preemption.Victims.Select(v => PushOutAsync(v, cancellationToken)));
            }

            _admitted.Add(pod.Uid);
            return null;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>Labels may have come just now: before a pod is turned away for them the Node is read anew.</summary>
    private async Task<AdmitResult> AskAsync(Pod pod, Node? node, CancellationToken cancellationToken)
    {
        AdmitResult result = Ask(pod, node);
        if (result is not AdmitResult.Rejected { Reason: "NodeAffinity" })
        {
            return result;
        }

        try
        {
            return Ask(pod, await parts.FreshNode!(cancellationToken));
        }
        catch (KubernetesException)
        {
            return result;
        }
    }

    private AdmitResult Ask(Pod pod, Node? node) =>
        handlers.Admit(new AdmissionRequest(pod, node, [.. parts.Pods.Active.Where(o => o.Uid != pod.Uid && Counts(o))]) { Pressures = parts.Pressures() });

    /// <summary>Pods of an earlier life of the agent keep their place against new ones.</summary>
    private bool Counts(Pod other) =>
        parts.Statuses.StatusOf(other) is { Phase: not ("Failed" or "Succeeded") } status && (_admitted.Contains(other.Uid) || status.StartTime is not null);

    private async Task PushOutAsync(Pod victim, CancellationToken cancellationToken)
    {
        parts.Events.Record(victim, null, "Warning", CriticalPodPreemption.Reason, CriticalPodPreemption.Message);
        await parts.Ender.EndAsync(
            victim, new PodKill(CriticalPodPreemption.Reason, CriticalPodPreemption.Message, null), CriticalPodPreemption.Condition(victim, time.GetUtcNow()), cancellationToken);
    }
}
