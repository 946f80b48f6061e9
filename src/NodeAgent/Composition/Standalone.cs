using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Composition;

/// <summary>Without an API server there is nowhere to write statuses to.</summary>
internal sealed class NoApiServer : IPodStatusWriter
{
    public Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken) => Task.FromResult<Pod?>(null);

    public Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken) => Task.FromResult<Pod?>(null);

    public Task DeleteAsync(Pod pod, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>Without an API server there are no services.</summary>
internal sealed class NoServices : IServiceLister
{
    public bool HasSynced => true;

    public IReadOnlyList<Service> InNamespace(string @namespace) => [];
}

/// <summary>Without an API server there are no secrets and config maps.</summary>
internal sealed class NoApiObjects : IPodObjectStore
{
    public Task<Secret> GetSecretAsync(string @namespace, string name, CancellationToken cancellationToken) =>
        throw new ApiUnreachableException($"Secret {@namespace}/{name}: this node agent runs without an API server (no --kubeconfig)");

    public Task<ConfigMap> GetConfigMapAsync(string @namespace, string name, CancellationToken cancellationToken) =>
        throw new ApiUnreachableException($"ConfigMap {@namespace}/{name}: this node agent runs without an API server (no --kubeconfig)");

    public void RegisterPod(Pod pod)
    {
    }

    public void UnregisterPod(PodUid uid)
    {
    }
}

/// <summary>Without an API server events go nowhere.</summary>
internal sealed class NoEvents : IEventRecorder
{
    public void Record(ObjectReference regarding, string type, string reason, string message, string action = "")
    {
    }
}
