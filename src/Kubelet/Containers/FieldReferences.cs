using System.Collections.Immutable;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>fieldRef and resourceFieldRef of environments. Pure. Source: pkg/fieldpath, pkg/api/v1/resource.</summary>
internal static class FieldReferences
{
    /// <exception cref="ContainerConfigException">No such field.</exception>
    public static string Pod(Pod pod, string path, EnvironmentFacts facts) => path switch
    {
        "metadata.name" => pod.Metadata.Name ?? "",
        "metadata.namespace" => pod.Metadata.Namespace ?? "",
        "metadata.uid" => pod.Metadata.Uid ?? "",
        "spec.nodeName" => pod.Spec.NodeName ?? "",
        "spec.serviceAccountName" => pod.Spec.ServiceAccountName ?? "",
        "status.hostIP" => First(facts.HostIPs),
        "status.hostIPs" => string.Join(',', facts.HostIPs),
        "status.podIP" => First(facts.PodIPs),
        "status.podIPs" => string.Join(',', facts.PodIPs),
        _ when Subscript(path, "metadata.labels") is { } label => pod.Metadata.Labels.GetValueOrDefault(label, ""),
        _ when Subscript(path, "metadata.annotations") is { } annotation => pod.Metadata.Annotations.GetValueOrDefault(annotation, ""),
        _ => throw new ContainerConfigException($"unsupported fieldPath: {path}"),
    };

    private static string First(ImmutableArray<string> ips) => ips is [var first, ..] ? first : "";

    private static string? Subscript(string path, string prefix) =>
        path.StartsWith(prefix + "['", StringComparison.Ordinal) && path.EndsWith("']", StringComparison.Ordinal) ? path[(prefix.Length + 2)..^2] : null;

    /// <exception cref="ContainerConfigException">No such resource or container.</exception>
    public static string Resource(Pod pod, ApiContainer own, ResourceFieldSelector selector, IReadOnlyDictionary<string, Quantity> allocatable)
    {
        ApiContainer c = string.IsNullOrEmpty(selector.ContainerName) ? own
            : pod.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(x => x.Name == selector.ContainerName)
                ?? throw new ContainerConfigException($"container {selector.ContainerName} not found");
        string text = selector.Resource ?? "";
        int dot = text.IndexOf('.', StringComparison.Ordinal);
        string kind = dot < 0 ? "" : text[..dot], name = text[(dot + 1)..];
        IReadOnlyDictionary<string, Quantity>? from = kind switch
        {
            "limits" => c.Resources?.Limits,
            "requests" => c.Resources?.Requests,
            _ => throw new ContainerConfigException($"unsupported container resource: {text}"),
        };
        Quantity value = PodResources.Amount(from, name) is { IsZero: false } given ? given : kind == "limits" ? Unlimited(pod, name, allocatable) : default;
        bool hasDivisor = selector.Divisor is { } divisor && divisor.MilliValue() > 0;
        return name == "cpu"
            ? $"{CeilingDivide(value.MilliValue(), hasDivisor ? selector.Divisor!.Value.MilliValue() : 1000)}"
            : $"{CeilingDivide(value.Value(), hasDivisor ? Math.Max(1, selector.Divisor!.Value.Value()) : 1)}";
    }

    // What a container without a limit can have at most: what the pod can, else what the node can.
    private static Quantity Unlimited(Pod pod, string name, IReadOnlyDictionary<string, Quantity> allocatable) =>
        name is PodResources.Cpu or PodResources.Memory && allocatable.ContainsKey(name) && PodResources.Amount(pod.Spec.Resources?.Limits, name) is { IsZero: false } shared
            ? shared : allocatable.GetValueOrDefault(name);

    private static long CeilingDivide(long value, long by) => (value + by - 1) / by;
}
