using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>Names an object of one kind: namespace (empty for cluster-scoped kinds) and name.</summary>
/// <param name="Namespace">The namespace; empty for cluster-scoped kinds.</param>
/// <param name="Name">The object's name.</param>
public readonly record struct NamespacedName(string Namespace, string Name) : IComparable<NamespacedName>
{
    /// <summary>The name of <paramref name="value"/>.</summary>
    public static NamespacedName Of(IKubernetesObject value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return new NamespacedName(value.Metadata.Namespace ?? "", value.Metadata.Name ?? "");
    }

    /// <inheritdoc/>
    public int CompareTo(NamespacedName other)
    {
        int byNamespace = string.CompareOrdinal(Namespace, other.Namespace);
        return byNamespace != 0 ? byNamespace : string.CompareOrdinal(Name, other.Name);
    }

    /// <summary>namespace/name, or the name alone.</summary>
    public override string ToString() => string.IsNullOrEmpty(Namespace) ? Name : $"{Namespace}/{Name}";

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator <(NamespacedName left, NamespacedName right) => left.CompareTo(right) < 0;

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator >(NamespacedName left, NamespacedName right) => left.CompareTo(right) > 0;

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator <=(NamespacedName left, NamespacedName right) => left.CompareTo(right) <= 0;

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator >=(NamespacedName left, NamespacedName right) => left.CompareTo(right) >= 0;
}
