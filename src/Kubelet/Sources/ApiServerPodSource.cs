using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>The pods bound to this node, from the API server's watch. Source: pkg/kubelet/config/apiserver.go.</summary>
/// <param name="informer">Watches pods with the field selector spec.nodeName=node.</param>
/// <param name="nodeSeen">Completes when the own Node object was seen: pods are judged by its labels and taints.</param>
/// <param name="time">Clock.</param>
public sealed class ApiServerPodSource(IInformer<Pod> informer, Task nodeSeen, TimeProvider time) : IPodSource
{
    /// <inheritdoc/>
    public PodSourceKind Kind => PodSourceKind.Api;

    /// <summary>What the informer has to ask for.</summary>
    public static InformerOptions OptionsFor(string node) => new() { FieldSelector = $"spec.nodeName={node}" };

    /// <inheritdoc/>
    public async Task RunAsync(IPodSourceSink sink, CancellationToken cancellationToken)
    {
        await nodeSeen.WaitAsync(cancellationToken);
        using IInformerRegistration registration = informer.AddHandler(new Handler(sink, time));
        Task running = informer.RunAsync(cancellationToken);
        await Task.WhenAny(running, registration.HasSynced);
        if (registration.HasSynced.IsCompletedSuccessfully)
        {
            sink.MarkReady(PodSourceKind.Api);
        }

        await running;
    }

    private sealed class Handler(IPodSourceSink sink, TimeProvider time) : IInformerHandler<Pod>
    {
        public void Added(Pod item, bool initial) => sink.Upsert(PodSourceKind.Api, Mark(item));

        public void Updated(Pod previous, Pod current)
        {
            if (previous.Metadata.Uid != current.Metadata.Uid)
            {
                sink.Remove(PodSourceKind.Api, previous);
            }

            sink.Upsert(PodSourceKind.Api, Mark(current));
        }

        public void Deleted(Pod last) => sink.Remove(PodSourceKind.Api, Mark(last));

        /// <summary>A pod that says of itself that it is static would escape rules made for API pods: the source is ours to tell.</summary>
        private Pod Mark(Pod pod) => pod with
        {
            Metadata = pod.Metadata with
            {
                Annotations = new Dictionary<string, string>(pod.Metadata.Annotations)
                {
                    [PodIdentityExtensions.ConfigSourceAnnotation] = "api",
                    [PodIdentityExtensions.ConfigSeenAnnotation] = time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff00K", null),
                },
            },
        };
    }
}
