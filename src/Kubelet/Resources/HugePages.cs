using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Huge page resources. Pure.</summary>
public static class HugePages
{
    /// <summary>The resource of a page size, e.g. hugepages-2Mi.</summary>
    public static string ResourceName(long pageSize) => PodResources.HugePagesPrefix + Quantity.FromValue(pageSize, QuantityFormat.BinarySI);

    /// <summary>Amounts by kernel page size name ("2MB") for a list of resources.</summary>
    public static ImmutableSortedDictionary<string, long> Limits(IReadOnlyDictionary<string, Quantity> resources)
    {
        ImmutableSortedDictionary<string, long>.Builder limits = ImmutableSortedDictionary.CreateBuilder<string, long>(StringComparer.Ordinal);
        foreach ((string name, Quantity amount) in resources)
        {
            if (name.StartsWith(PodResources.HugePagesPrefix, StringComparison.Ordinal) && Quantity.TryParse(name[PodResources.HugePagesPrefix.Length..], out Quantity size))
            {
                string key = CgroupLimits.HugePageSizeName(size.Value());
                limits[key] = limits.GetValueOrDefault(key) + amount.Value();
            }
        }

        return limits.ToImmutable();
    }

    /// <summary>The amount of one page size in a list of resources, or null.</summary>
    /// <param name="resources">By resource name.</param>
    /// <param name="pageSize">Bytes.</param>
    public static Quantity? Of(IReadOnlyDictionary<string, Quantity>? resources, long pageSize)
    {
        foreach ((string name, Quantity amount) in resources ?? new Dictionary<string, Quantity>())
        {
            if (name.StartsWith(PodResources.HugePagesPrefix, StringComparison.Ordinal)
                && Quantity.TryParse(name[PodResources.HugePagesPrefix.Length..], out Quantity size) && size.Value() == pageSize)
            {
                return amount;
            }
        }

        return null;
    }

    /// <summary>The limits, and none of the node's other page sizes.</summary>
    /// <param name="limits">By kernel page size name.</param>
    /// <param name="pageSizes">The node's sizes in bytes.</param>
    public static ImmutableSortedDictionary<string, long> NoOthers(ImmutableSortedDictionary<string, long> limits, IReadOnlyList<long> pageSizes) =>
        limits.AddRange(pageSizes.Select(CgroupLimits.HugePageSizeName).Where(name => !limits.ContainsKey(name)).Select(name => KeyValuePair.Create(name, 0L)));
}
