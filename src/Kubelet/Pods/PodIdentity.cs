using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>The UID of a pod as the API server (or, for a static pod, the source) gave it.</summary>
/// <param name="Value">Opaque, never empty for a real pod; safe as a path segment only after <see cref="IsPathSafe"/>.</param>
public readonly record struct PodUid(string Value) : IComparable<PodUid>
{
    /// <summary>True where the UID may stand as one segment of a path: 1 to 128 of [A-Za-z0-9._-], neither "." nor "..".</summary>
    public bool IsPathSafe => Value is { Length: > 0 and <= 128 } and not ("." or "..")
        && Value.AsSpan().IndexOfAnyExcept("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") < 0;

    /// <inheritdoc/>
    public int CompareTo(PodUid other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>What a log line or an error calls a pod.</summary>
/// <param name="Namespace">metadata.namespace.</param>
/// <param name="Name">metadata.name.</param>
/// <param name="Uid">metadata.uid.</param>
public readonly record struct PodRef(string Namespace, string Name, PodUid Uid)
{
    /// <summary>Prints as namespace/name.</summary>
    public override string ToString() => $"{Namespace}/{Name}";
}

/// <summary>A container as pod status names it: runtime name and runtime id.</summary>
/// <param name="Runtime">The runtime's name as its Version call gave it, e.g. containerd.</param>
/// <param name="Id">The runtime's id of the container, without prefix.</param>
public readonly record struct ContainerId(string Runtime, string Id)
{
    /// <summary>Prints as runtime://id, the form of status.containerStatuses[].containerID.</summary>
    public override string ToString() => $"{Runtime}://{Id}";

    /// <summary>Reads the form that <see cref="ToString"/> writes.</summary>
    public static bool TryParse(string? text, out ContainerId id)
    {
        int at = text is null ? -1 : text.IndexOf("://", StringComparison.Ordinal);
        id = at > 0 ? new ContainerId(text![..at], text[(at + 3)..]) : default;
        return at > 0;
    }
}

/// <summary>Identity and source facts of a pod object.</summary>
public static class PodIdentityExtensions
{
    /// <summary>The annotation that says which source a pod came from: api, file or http.</summary>
    public const string ConfigSourceAnnotation = "kubernetes.io/config.source";

    /// <summary>The annotation with the time (RFC 3339, nanoseconds) at which this agent first saw the pod.</summary>
    public const string ConfigSeenAnnotation = "kubernetes.io/config.seen";

    /// <summary>The annotation that marks a mirror pod; its value is the static pod's hash.</summary>
    public const string ConfigMirrorAnnotation = "kubernetes.io/config.mirror";

    /// <summary>The annotation with a static pod's hash.</summary>
    public const string ConfigHashAnnotation = "kubernetes.io/config.hash";

    extension(Pod pod)
    {
        /// <summary>metadata.uid.</summary>
        public PodUid Uid => new(pod.Metadata.Uid ?? "");

        /// <summary>How logs name the pod.</summary>
        public PodRef Ref => new(pod.Metadata.Namespace ?? "", pod.Metadata.Name ?? "", pod.Uid);

        /// <summary>True for pods of a file or http source.</summary>
        public bool IsStatic => pod.Metadata.Annotations.TryGetValue(ConfigSourceAnnotation, out string? source) && source != "api";

        /// <summary>True for the API server's copy of a static pod.</summary>
        public bool IsMirror => pod.Metadata.Annotations.ContainsKey(ConfigMirrorAnnotation);

        /// <summary>A static pod's hash; null for others.</summary>
        public string? ConfigHash => pod.Metadata.Annotations.GetValueOrDefault(ConfigHashAnnotation);

        /// <summary>A mirror pod's hash: that of the static pod it was made from; null for others.</summary>
        public string? MirrorHash => pod.Metadata.Annotations.GetValueOrDefault(ConfigMirrorAnnotation);

        /// <summary>True where this pod was made from that very static pod: same name, same hash.</summary>
        public bool IsMirrorOf(Pod source) => pod.MirrorHash is { } hash && hash == source.ConfigHash
            && pod.Metadata.Name == source.Metadata.Name && pod.Metadata.Namespace == source.Metadata.Namespace;

        /// <summary>True for static, mirror and system-critical priority pods (priority at least 2,000,000,000).</summary>
        public bool IsCritical => pod.IsStatic || pod.IsMirror || pod.Spec.Priority >= 2_000_000_000;

        /// <summary>True where the pod shares the node's network namespace.</summary>
        public bool IsHostNetwork => pod.Spec.HostNetwork == true;
    }
}
