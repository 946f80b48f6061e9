using System.Collections.Immutable;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Sync;

namespace NodeAgent.Kubelet.Containers;

// What a pass gathers.
public sealed partial class RuntimeManager
{
    /// <summary>What one pass over a pod has come to so far.</summary>
    private sealed class SyncPass
    {
        private readonly Dictionary<string, ContainerWaiting> _waiting = [];
        private TimeSpan? _retry;

        public bool Changed { get; set; }

        public string? Error { get; set; }

        /// <summary>The runtime handler, where a volume is an image.</summary>
        public string Handler { get; set; } = "";

        /// <summary>Images that are volumes, once a container is to be started.</summary>
        public ImageVolumes? Images { get; set; }

        public string? ResizeError { get; set; }

        public void Wait(string container, string reason, string message, TimeSpan? retry)
        {
            _waiting[container] = new ContainerWaiting(reason, message);
            TimeSpan r = retry ?? TimeSpan.FromSeconds(10);
            _retry = _retry is null || r < _retry ? r : _retry;
        }

        public PodSyncResult Result() => new()
        {
            Waiting = _waiting.ToImmutableDictionary(),
            Error = Error,
            ResizeError = ResizeError,
            RetryAfter = _retry,
            Changed = Changed,
        };
    }
}
