using System.Collections.Concurrent;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Pleg;

/// <summary>Pods upon which their workers act just now: such a worker looks for itself when it is done, so others need not look meanwhile.</summary>
internal sealed class PodActs
{
    private readonly ConcurrentDictionary<PodUid, TaskCompletionSource> _underWay = new();

    /// <summary>An act begins; it ends when the result is disposed, after its own look.</summary>
    public IDisposable Begin(PodUid uid) => new Act(this, uid);

    /// <summary>Completes when the act upon the pod is over; null where there is none.</summary>
    public Task? EndOf(PodUid uid) => _underWay.GetValueOrDefault(uid)?.Task;

    private sealed class Act : IDisposable
    {
        private readonly PodActs _acts;
        private readonly PodUid _uid;
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Act(PodActs acts, PodUid uid)
        {
            (_acts, _uid) = (acts, uid);
            _acts._underWay[uid] = _ended;
        }

        public void Dispose()
        {
            _acts._underWay.TryRemove(new KeyValuePair<PodUid, TaskCompletionSource>(_uid, _ended));
            _ended.TrySetResult();
        }
    }
}
