namespace NodeAgent.Kubernetes.Objects;

/// <summary>Namespace and name: what identifies an object of a given kind. The namespace is empty for cluster-wide kinds.</summary>
/// <param name="Namespace">The namespace, or the empty text.</param>
/// <param name="Name">The name.</param>
public readonly record struct NamespacedName(string Namespace, string Name) : IComparable<NamespacedName>
{
    /// <summary>The identity of <paramref name="value"/>.</summary>
    public static NamespacedName Of(IKubernetesObject value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return Of(value.Metadata);
    }

    /// <summary>The identity in <paramref name="metadata"/>.</summary>
    public static NamespacedName Of(ObjectMeta metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        return new(metadata.Namespace ?? "", metadata.Name ?? "");
    }

    /// <summary>Reads namespace/name; a text without slash is a name without namespace.</summary>
    /// <exception cref="FormatException">The text is empty or has more than one slash.</exception>
    public static NamespacedName Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (text.Length == slash + 1 || text.IndexOf('/', slash + 1) >= 0)
            throw new FormatException($"\"{text}\" is not of the form namespace/name");
        return slash < 0 ? new("", text) : new(text[..slash], text[(slash + 1)..]);
    }

    /// <inheritdoc/>
    public int CompareTo(NamespacedName other)
    {
        int order = string.CompareOrdinal(Namespace, other.Namespace);
        return order != 0 ? order : string.CompareOrdinal(Name, other.Name);
    }

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator <(NamespacedName left, NamespacedName right) => left.CompareTo(right) < 0;

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator >(NamespacedName left, NamespacedName right) => left.CompareTo(right) > 0;

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator <=(NamespacedName left, NamespacedName right) => left.CompareTo(right) <= 0;

    /// <summary>Orders by namespace, then name.</summary>
    public static bool operator >=(NamespacedName left, NamespacedName right) => left.CompareTo(right) >= 0;

    /// <summary>namespace/name, with nothing before the slash for cluster-wide objects.</summary>
    public override string ToString() => $"{Namespace}/{Name}";
}
