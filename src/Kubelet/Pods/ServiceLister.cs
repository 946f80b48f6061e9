using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>Services with a cluster IP, by namespace, from one watch; only what environments need of them is kept.</summary>
/// <param name="informer">Watches services, with an index named "namespace".</param>
public sealed class ServiceLister(IInformer<Service> informer) : IServiceLister
{
    private const string ByNamespace = "namespace";

    /// <summary>What the informer has to ask for: headless services have no environment.</summary>
    public static InformerOptions Options { get; } = new() { FieldSelector = "spec.clusterIP!=None" };

    /// <summary>Keeps name, cluster IP and ports.</summary>
    public static InformerProjection<Service, Service> Projection { get; } = new()
    {
        Transform = s => new Service
        {
            Metadata = new ObjectMeta { Namespace = s.Metadata.Namespace, Name = s.Metadata.Name, Uid = s.Metadata.Uid, ResourceVersion = s.Metadata.ResourceVersion },
            Spec = new ServiceSpec { ClusterIP = s.Spec?.ClusterIP, Ports = s.Spec?.Ports ?? [] },
        },
        Indexes = new Dictionary<string, Func<Service, IEnumerable<string>>> { [ByNamespace] = s => [s.Metadata.Namespace ?? ""] },
    };

    /// <inheritdoc/>
    public bool HasSynced => informer.HasSynced.IsCompletedSuccessfully;

    /// <inheritdoc/>
    public IReadOnlyList<Service> InNamespace(string @namespace) => informer.Lister.ByIndex(ByNamespace, @namespace);
}
