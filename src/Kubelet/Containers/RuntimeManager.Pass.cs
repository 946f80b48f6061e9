using System.Collections.Immutable;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

// What a pass gathers.
public sealed partial class RuntimeManager
{
    private PodSyncResult Counted(Pod pod, PodActions actions, PodSyncResult result)
    {
        if (actions.CreateSandbox && UserNamespaces.IsAsked(pod))
        {
            _needs.Starts?.UserNamespaced(result.Succeeded);
        }

        return result;
    }

    private void CountImages(ApiContainer c, SyncPass pass)
    {
        string[] mounted = [.. c.VolumeMounts.Select(m => m.Name ?? "").Where(name => pass.Images?.Find(name) is not null)];
        if (mounted.Length > 0)
        {
            _needs.Starts?.ImageVolumes(mounted.Distinct().Count(), mounted.Length, pass.Waits(c.Name ?? "") is { Reason: "CreateContainerError" } waits
                && waits.Message.Contains("ImageVolumeMountFailed", StringComparison.Ordinal));
        }
    }

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

        public ContainerWaiting? Waits(string container) => _waiting.GetValueOrDefault(container);

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
