using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Sources;

/// <summary>What mirror pods are judged by.</summary>
/// <param name="Pods">The pods wanted, and the mirror pods seen.</param>
/// <param name="Node">The own Node as last seen; null where not known or gone.</param>
/// <param name="NodeName">The node's name: mirror pods of other nodes are never touched.</param>
/// <param name="Unfinished">The static pods of a namespace and name whose workers have not finished.</param>
/// <param name="SourcesReady">Whether every source has delivered.</param>
public sealed record MirrorPodView(PodManager Pods, Func<Node?> Node, string NodeName, Func<string, string, IReadOnlyList<PodUid>> Unfinished, Func<bool> SourcesReady);

/// <summary>
/// Keeps the API server's copies of static pods in line with them. Static pods never wait for it: it works apart from their workers,
/// is told which names to look at, and tries again with back-off while the API server is away.
/// </summary>
public sealed partial class MirrorPodController(IMirrorPodClient client, MirrorPodView view, TimeProvider time, ILogger<MirrorPodController> logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(10);
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Namespace, string Name), DateTimeOffset> _due = [];
    private readonly Dictionary<(string Namespace, string Name), int> _failures = [];
    private readonly SemaphoreSlim _signal = new(0);
    private (string? Uid, bool Deleting)? _node;
    private bool _busy;

    /// <summary>True while nothing waits to be looked at now: for tests.</summary>
    internal bool Idle
    {
        get
        {
            lock (_lock)
            {
                return !_busy && _due.Count == 0;
            }
        }
    }

    /// <summary>A static pod or a mirror pod came, changed or went; anything else is none of its business.</summary>
    public void Observe(Pod pod)
    {
        if (pod.IsStatic || pod.IsMirror)
        {
            Request(KeyOf(pod));
        }
    }

    /// <summary>A pod's worker has done its last.</summary>
    public void Finished(Pod pod)
    {
        if (pod.IsStatic)
        {
            Request(KeyOf(pod));
        }
    }

    /// <summary>The own Node was seen: mirror pods need its UID, and a new Node of the name needs new ones.</summary>
    public void Observe(Node? node)
    {
        (string?, bool) now = (node?.Metadata.Uid, node?.Metadata.DeletionTimestamp is not null);
        lock (_lock)
        {
            if (_node == now)
            {
                return;
            }

            _node = now;
        }

        RequestAll();
    }

    /// <summary>Looks at every static pod and every mirror pod.</summary>
    public void RequestAll()
    {
        foreach (Pod pod in view.Pods.All.Where(p => p.IsStatic).Concat(view.Pods.Mirrors))
        {
            Request(KeyOf(pod));
        }
    }

    /// <summary>Runs until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            (var key, TimeSpan? wait) = Next();
            if (key is { } due)
            {
                await ReconcileAsync(due, cancellationToken);
                continue;
            }

            using var wake = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task signalled = _signal.WaitAsync(wake.Token);
            await Task.WhenAny(signalled, wait is { } w ? Task.Delay(w, time, wake.Token) : signalled);
            await wake.CancelAsync();
            await signalled.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static (string, string) KeyOf(Pod pod) => (pod.Metadata.Namespace ?? "", pod.Metadata.Name ?? "");

    private void Request((string, string) key)
    {
        lock (_lock)
        {
            _due[key] = time.GetUtcNow();
        }

        _signal.Release();
    }

    private ((string Namespace, string Name)? Key, TimeSpan? Wait) Next()
    {
        lock (_lock)
        {
            if (_due.Count == 0)
            {
                return (null, null);
            }

            (var key, DateTimeOffset at) = _due.MinBy(d => d.Value);
            DateTimeOffset now = time.GetUtcNow();
            if (at > now)
            {
                return (null, at - now);
            }

            _due.Remove(key);
            _busy = true;
            return (key, null);
        }
    }

    private async Task ReconcileAsync((string Namespace, string Name) key, CancellationToken cancellationToken)
    {
        MirrorPlan plan = MirrorPlan.For(Look(key));
        try
        {
            if (plan.Delete is { } old)
            {
                await client.DeleteAsync(old, cancellationToken);
                LogDeleted(old.Ref, old.Metadata.Uid ?? "");
            }

            if (plan.Create is { } wanted)
            {
                await client.CreateAsync(wanted, cancellationToken);
                LogCreated(wanted.Ref);
            }

            Settle(key, null);
        }
        catch (Exception e) when (e is KubernetesException or MirrorPodException)
        {
            if (Settle(key, e))
            {
                LogFailed($"{key.Namespace}/{key.Name}", e.Message);
            }
        }
    }

    private MirrorSituation Look((string Namespace, string Name) key)
    {
        Pod? source = view.Pods.Find(key.Namespace, key.Name) is { IsStatic: true } found ? found : null;
        Pod? mirror = view.Pods.Mirror(key.Namespace, key.Name) is { } seen && seen.Spec.NodeName == view.NodeName ? seen : null;
        return new MirrorSituation(source, mirror, view.Node())
        {
            SourcesReady = view.SourcesReady(),
            PredecessorEnding = view.Unfinished(key.Namespace, key.Name).Any(uid => uid != source?.Uid),
        };
    }

    /// <summary>Notes how a look ended; true for the first failure of a row.</summary>
    private bool Settle((string, string) key, Exception? failure)
    {
        lock (_lock)
        {
            _busy = false;
            if (failure is null)
            {
                _failures.Remove(key);
                return false;
            }

            int before = _failures.GetValueOrDefault(key);
            _failures[key] = before + 1;
            TimeSpan delay = FirstDelay * Math.Pow(2, Math.Min(before, 6));
            _due.TryAdd(key, time.GetUtcNow() + (delay < LongestDelay ? delay : LongestDelay));
            return before == 0;
        }
    }

    [LoggerMessage(2020, LogLevel.Debug, "Mirror pod {Pod} ({Uid}) deleted")]
    private partial void LogDeleted(PodRef pod, string uid);

    [LoggerMessage(2021, LogLevel.Debug, "Mirror pod {Pod} created")]
    private partial void LogCreated(PodRef pod);

    [LoggerMessage(2022, LogLevel.Warning, "Mirror pod {Pod} could not be brought in line with its static pod, will be tried again: {Error}")]
    private partial void LogFailed(string pod, string error);
}
