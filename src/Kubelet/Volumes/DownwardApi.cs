using System.Globalization;
using System.Text;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>Values of the downward API as files show them. Pure. Source: pkg/fieldpath, pkg/api/v1/resource/helpers.go.</summary>
internal static class DownwardApi
{
    /// <summary>The files of a downwardAPI volume or projection.</summary>
    public static Dictionary<string, FileProjection> Files(
        IReadOnlyList<DownwardAPIVolumeFile> items, Pod pod, IReadOnlyDictionary<string, Quantity> allocatable, int? defaultMode)
    {
        var files = new Dictionary<string, FileProjection>(StringComparer.Ordinal);
        foreach (DownwardAPIVolumeFile item in items)
        {
            string value = item.FieldRef is { } field ? Field(pod, field.FieldPath)
                : item.ResourceFieldRef is { } resource ? Resource(pod, resource, allocatable)
                : "";
            files[item.Path] = new FileProjection(Encoding.UTF8.GetBytes(value), item.Mode ?? defaultMode ?? ObjectPayloads.DefaultMode);
        }

        return files;
    }

    /// <summary>The value of a fieldPath.</summary>
    /// <exception cref="PayloadException">The path is not one of those that volumes may name.</exception>
    public static string Field(Pod pod, string path)
    {
        if (path.EndsWith("']", StringComparison.Ordinal) && path.IndexOf("['", StringComparison.Ordinal) is var open and > 0)
        {
            string key = path[(open + 2)..^2];
            return path[..open] switch
            {
                "metadata.annotations" => pod.Metadata.Annotations.GetValueOrDefault(key, ""),
                "metadata.labels" => pod.Metadata.Labels.GetValueOrDefault(key, ""),
                _ => throw new PayloadException($"fieldPath \"{path}\" does not support subscript"),
            };
        }

        return path switch
        {
            "metadata.annotations" => Lines(pod.Metadata.Annotations),
            "metadata.labels" => Lines(pod.Metadata.Labels),
            "metadata.name" => pod.Metadata.Name ?? "",
            "metadata.namespace" => pod.Metadata.Namespace ?? "",
            "metadata.uid" => pod.Metadata.Uid ?? "",
            _ => throw new PayloadException($"unsupported fieldPath: {path}"),
        };
    }

    /// <summary>Entries sorted by key, one a line, values quoted as Go quotes a string.</summary>
    public static string Lines(IReadOnlyDictionary<string, string> map)
    {
        var text = new StringBuilder();
        foreach ((string key, string value) in map.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            text.Append(text.Length > 0 ? "\n" : "").Append(key).Append('=');
            AppendQuoted(text, value);
        }

        return text.ToString();
    }

    /// <summary>The value of a resourceFieldRef: rounded up to whole divisors; limits that are not set are the node's allocatable.</summary>
    public static string Resource(Pod pod, ResourceFieldSelector selector, IReadOnlyDictionary<string, Quantity> allocatable)
    {
        string name = selector.ContainerName ?? "";
        Container container = pod.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(c => c.Name == name)
            ?? throw new PayloadException($"container {name} not found");
        (string side, string resource) = selector.Resource.Split('.', 2) is [var s, var r] ? (s, r) : ("", "");
        bool known = resource is "cpu" or "memory" or "ephemeral-storage" || resource.StartsWith("hugepages-", StringComparison.Ordinal);
        if (!known || side is not ("limits" or "requests"))
        {
            throw new PayloadException($"unsupported container resource : {selector.Resource}");
        }

        Quantity value = (side == "limits" ? container.Resources?.Limits : container.Resources?.Requests)?.GetValueOrDefault(resource) ?? default;
        if (side == "limits" && value.IsZero && !resource.StartsWith("hugepages-", StringComparison.Ordinal))
        {
            value = allocatable.GetValueOrDefault(resource);
        }

        Quantity divisor = selector.Divisor is { IsZero: false } given ? given : Quantity.FromValue(1);
        (long amount, long unit) = resource == "cpu" ? (value.MilliValue(), divisor.MilliValue()) : (value.Value(), divisor.Value());
        return ((long)Math.Ceiling((double)amount / Math.Max(unit, 1))).ToString(CultureInfo.InvariantCulture);
    }

    private static void AppendQuoted(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (Rune rune in value.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\a' => text.Append("\\a"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\v' => text.Append("\\v"),
                < ' ' or 0x7F => text.Append(CultureInfo.InvariantCulture, $"\\x{rune.Value:x2}"),
                _ when IsPrintable(rune) => text.Append(rune),
                < 0x10000 => text.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"),
                _ => text.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}"),
            };
        }

        text.Append('"');
    }

    // What Go's strconv takes as printable: letters, marks, numbers, punctuation, symbols and the plain space.
    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
        or UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
