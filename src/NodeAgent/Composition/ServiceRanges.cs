using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Composition;

/// <summary>Collects the ranges of all ServiceCIDR objects and tells them after each change.</summary>
internal sealed class ServiceRanges(Action<IReadOnlyCollection<string>> changed) : IInformerHandler<ServiceCIDR>
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, IReadOnlyList<string>> _ranges = [];

    public void Added(ServiceCIDR item, bool initial) => Set(item.Metadata.Name ?? "", item.Spec.Cidrs);

    public void Updated(ServiceCIDR previous, ServiceCIDR current) => Set(current.Metadata.Name ?? "", current.Spec.Cidrs);

    public void Deleted(ServiceCIDR last) => Set(last.Metadata.Name ?? "", []);

    private void Set(string name, IReadOnlyList<string> cidrs)
    {
        lock (_lock)
        {
            _ranges[name] = cidrs;
            changed([.. _ranges.Values.SelectMany(r => r).Distinct()]);
        }
    }
}
