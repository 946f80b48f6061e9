using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Workers;

/// <summary>The set of workers, one for each pod UID. Source: pkg/kubelet/pod_workers.go.</summary>
public sealed partial class PodWorkers
{
    private readonly Lock _lock = new();
    private readonly Dictionary<PodUid, PodWorker> _workers = [];
    private readonly Dictionary<(string, string), List<PodUid>> _staticQueues = [];
    private readonly HashSet<PodUid> _gone = [];
    private readonly Dictionary<PodUid, PodUpdate> _again = [];
    private readonly IPodSyncer _syncer;
    private readonly Func<PodUid, bool> _anythingRuns;
    private readonly PodWorkerContext _context;
    private readonly ILogger _logger;

    /// <summary>Makes an empty set.</summary>
    /// <param name="syncer">Carries out the passes.</param>
    /// <param name="anythingRuns">Whether the last observation has anything of the pod running.</param>
    /// <param name="time">Clock.</param>
    /// <param name="logger">Logger.</param>
    /// <param name="stop">When cancelled no further pass begins; pods are left running.</param>
    public PodWorkers(IPodSyncer syncer, Func<PodUid, bool> anythingRuns, TimeProvider time, ILogger<PodWorkers> logger, CancellationToken stop)
    {
        _syncer = syncer;
        _anythingRuns = anythingRuns;
        _logger = logger;
        _context = new PodWorkerContext(time, logger, Dispatch, stop);
    }

    /// <summary>For the watchdog.</summary>
    public WorkerDispatch Dispatch { get; } = new();

    /// <summary>Raised after a pod's last pass, when nothing of it is left to do.</summary>
    public event Action<Pod>? PodFinished;

    /// <summary>Passes an update of the desired state on to the pod's worker.</summary>
    public void Update(PodUpdate update)
    {
        Pod pod = update.Pod;
        PodWorker worker;
        lock (_lock)
        {
            if (!_workers.TryGetValue(pod.Uid, out worker!))
            {
                if (update.Kind == PodUpdateKind.Remove)
                {
                    return;
                }

                worker = AddLocked(pod);
            }
            else if (update.Kind == PodUpdateKind.Remove)
            {
                _again.Remove(pod.Uid);
            }
            else if (_gone.Contains(pod.Uid))
            {
                // It was gone and is wanted again before its end was reached (a manifest put back): it starts afresh afterwards.
                _again[pod.Uid] = update;
                return;
            }
        }

        bool removed = update.Kind == PodUpdateKind.Remove;
        if (removed)
        {
            lock (_lock)
            {
                _gone.Add(pod.Uid);
            }
        }

        worker.Post(pod, removed, kill: null, wake: update.Kind != PodUpdateKind.Reconcile || pod.Spec.ReadinessGates.Count > 0);
        if (removed)
        {
            Reap(worker, left: true);
        }
    }

    /// <summary>Ends a pod for the node's own reason. False where there is no such worker.</summary>
    public bool Kill(PodUid uid, PodKill kill)
    {
        PodWorker? worker = Find(uid);
        worker?.Post(pod: null, removed: false, kill);
        return worker is not null;
    }

    /// <summary>Tears down a pod that only the runtime knows.</summary>
    /// <param name="pod">A pod made of what labels tell (namespace, name, UID).</param>
    public void TerminateOrphan(Pod pod)
    {
        PodWorker worker;
        lock (_lock)
        {
            if (_workers.ContainsKey(pod.Uid))
            {
                return;
            }

            worker = new PodWorker(pod, new PodWorkerState(), _syncer, _context, OnFinished);
            _workers.Add(pod.Uid, worker);
            _gone.Add(pod.Uid);
        }

        worker.Post(pod, removed: true, new PodKill("", "", TimeSpan.FromSeconds(1)));
    }

    /// <summary>Asks for a pass over the pod soon; nothing where there is no such worker.</summary>
    public void Wake(PodUid uid) => Find(uid)?.Wake();

    /// <summary>Where the pod stands, or null.</summary>
    public PodWorkerState? StateOf(PodUid uid) => Find(uid)?.State;

    /// <summary>True while containers of the pod may run: it is syncing or terminating.</summary>
    public bool CouldHaveRunningContainers(PodUid uid) => StateOf(uid)?.Phase is PodWorkPhase.Syncing or PodWorkPhase.Terminating;

    /// <summary>True once the pod is being ended.</summary>
    public bool IsTerminationRequested(PodUid uid) => StateOf(uid)?.Phase is not (null or PodWorkPhase.Syncing);

    /// <summary>UIDs of all workers.</summary>
    public IReadOnlyList<PodUid> Known
    {
        get
        {
            lock (_lock)
            {
                return [.. _workers.Keys];
            }
        }
    }

    /// <summary>The static pods of that name whose workers have not finished, the longest known first.</summary>
    public IReadOnlyList<PodUid> UnfinishedStaticPods(string @namespace, string name)
    {
        lock (_lock)
        {
            return _staticQueues.TryGetValue((@namespace, name), out List<PodUid>? queue)
                ? [.. queue.Where(uid => _workers.TryGetValue(uid, out PodWorker? worker) && worker.State.Phase != PodWorkPhase.Finished)] : [];
        }
    }

    private PodWorker? Find(PodUid uid)
    {
        lock (_lock)
        {
            return _workers.GetValueOrDefault(uid);
        }
    }

    private PodWorker AddLocked(Pod pod)
    {
        var worker = new PodWorker(pod, PodWorkerState.First(pod, _anythingRuns(pod.Uid)), _syncer, _context, OnFinished);
        _workers.Add(pod.Uid, worker);
        if (pod.IsStatic)
        {
            List<PodUid> queue = QueueOf(pod);
            queue.Add(pod.Uid);
            if (queue.Count > 1)
            {
                worker.Block();
                LogStaticPodWaits(pod.Ref);
            }
        }

        return worker;
    }

    private List<PodUid> QueueOf(Pod pod)
    {
        var name = (pod.Metadata.Namespace ?? "", pod.Metadata.Name ?? "");
        if (!_staticQueues.TryGetValue(name, out List<PodUid>? queue))
        {
            _staticQueues.Add(name, queue = []);
        }

        return queue;
    }

    private void OnFinished(PodWorker worker)
    {
        PodFinished?.Invoke(worker.Pod);
        Reap(worker, left: false);
    }

    /// <summary>The entry goes when the pod has both finished and left its source.</summary>
    private void Reap(PodWorker worker, bool left)
    {
        PodWorker? successor = null;
        PodUpdate? again;
        lock (_lock)
        {
            if (left)
            {
                _gone.Add(worker.Uid);
            }

            if (worker.State.Phase != PodWorkPhase.Finished || !_gone.Contains(worker.Uid) || !_workers.Remove(worker.Uid))
            {
                return;
            }

            _gone.Remove(worker.Uid);
            _again.Remove(worker.Uid, out again);
            if (worker.Pod.IsStatic)
            {
                List<PodUid> queue = QueueOf(worker.Pod);
                bool first = queue is [PodUid head, ..] && head == worker.Uid;
                queue.Remove(worker.Uid);
                successor = first && queue.Count > 0 ? _workers.GetValueOrDefault(queue[0]) : null;
            }
        }

        _syncer.Forget(worker.Uid);
        successor?.Unblock();
        if (again is not null)
        {
            Update(again with { Kind = PodUpdateKind.Add });
        }
    }

    [LoggerMessage(2110, LogLevel.Information, "Static pod {Pod} waits until its predecessor of that name has ended")]
    private partial void LogStaticPodWaits(PodRef pod);
}
