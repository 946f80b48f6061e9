using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>An API object with a kind of its own and metadata.</summary>
public interface IKubernetesObject
{
    /// <summary>Group and version, for example v1 or discovery.k8s.io/v1.</summary>
    string ApiVersion { get; }

    /// <summary>The kind, for example Pod.</summary>
    string Kind { get; }

    /// <summary>Name, namespace, uid, labels and the like.</summary>
    ObjectMeta Metadata { get; }
}

/// <summary>An API object that knows how the API server names its kind.</summary>
/// <typeparam name="TSelf">The object's own type.</typeparam>
public interface IKubernetesResource<TSelf> : IKubernetesObject, IJsonObject<TSelf>
    where TSelf : class, IKubernetesResource<TSelf>
{
    /// <summary>Group, version, plural and scope.</summary>
    static abstract ResourceType<TSelf> Resource { get; }
}
