using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>What is known about one namespace and name when its mirror pod is judged.</summary>
/// <param name="Static">The static pod wanted there; null where none is.</param>
/// <param name="Mirror">The mirror pod the API server has; null where none is.</param>
/// <param name="Node">The own Node; null where it is not known or gone.</param>
internal sealed record MirrorSituation(Pod? Static, Pod? Mirror, Node? Node)
{
    /// <summary>True once every source has delivered: before, a static pod may only be late.</summary>
    public bool SourcesReady { get; init; } = true;

    /// <summary>True while an earlier static pod of the name is still being ended: its mirror shows how far that is.</summary>
    public bool PredecessorEnding { get; init; }
}

/// <summary>What to do about a mirror pod: first the deletion, then the creation. Pure. Source: pkg/kubelet/kubelet.go (tryReconcileMirrorPods), pod/mirror_client.go.</summary>
/// <param name="Delete">The mirror pod to delete, with no grace; null = none.</param>
/// <param name="Create">The object to create; null = none.</param>
internal sealed record MirrorPlan(Pod? Delete, Pod? Create)
{
    public static readonly MirrorPlan Nothing = new(null, null);

    public static MirrorPlan For(MirrorSituation situation)
    {
        if (situation.PredecessorEnding)
        {
            return Nothing;
        }

        if (situation.Static is not { } source)
        {
            return situation is { SourcesReady: true, Mirror: { } orphan } ? new MirrorPlan(orphan, null) : Nothing;
        }

        bool good = situation.Mirror is { Metadata.DeletionTimestamp: null } mirror && mirror.IsMirrorOf(source);
        return good ? Nothing : new MirrorPlan(situation.Mirror, situation.Node is { Metadata: { DeletionTimestamp: null, Uid.Length: > 0 } } node ? Copy(source, node) : null);
    }

    /// <summary>The static pod as the API server shall show it: the Node owns it, so that it goes with the Node.</summary>
    private static Pod Copy(Pod source, Node node) => source with
    {
        Metadata = source.Metadata with
        {
            Uid = null,
            ResourceVersion = null,
            Annotations = new Dictionary<string, string>(source.Metadata.Annotations)
            {
                [PodIdentityExtensions.ConfigMirrorAnnotation] = source.ConfigHash ?? "",
            },
            OwnerReferences = [new OwnerReference { ApiVersion = "v1", Kind = "Node", Name = node.Metadata.Name ?? "", Uid = node.Metadata.Uid ?? "", Controller = true }],
        },
        Status = new PodStatus(),
    };
}
