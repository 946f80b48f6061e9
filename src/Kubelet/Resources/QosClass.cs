using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Resources;

/// <summary>Quality of service; prints as status.qosClass has it.</summary>
public enum QosClass
{
    /// <summary>No cpu or memory request or limit.</summary>
    BestEffort,
    /// <summary>Neither of the others.</summary>
    Burstable,
    /// <summary>Every container has equal requests and limits for cpu and memory.</summary>
    Guaranteed,
}

/// <summary>Finds a pod's class. Pure. Source: pkg/apis/core/v1/helper/qos/qos.go.</summary>
public static class PodQos
{
    /// <summary>The class in the status where it is set (it never changes), else the computed one.</summary>
    public static QosClass Of(Pod pod) => Enum.TryParse(pod.Status.QosClass, out QosClass known) ? known : Compute(pod);

    /// <summary>The class as the spec says.</summary>
    public static QosClass Compute(Pod pod)
    {
        // Where the pod has resources as a whole those of its containers do not count, even where that leaves neither CPU nor memory.
        if (pod.Spec.Resources is { } podLevel)
        {
            return Classify(Positive(podLevel.Requests), Positive(podLevel.Limits), HasBoth(podLevel.Limits));
        }

        Dictionary<string, Quantity> requests = [], limits = [];
        bool guaranteed = true;
        foreach (Container container in PodResources.AllContainers(pod))
        {
            Dictionary<string, Quantity> containerLimits = Positive(container.Resources?.Limits);
            PodResources.Add(requests, Positive(container.Resources?.Requests));
            PodResources.Add(limits, containerLimits);
            guaranteed &= containerLimits.Count == 2;
        }

        return Classify(requests, limits, guaranteed);
    }

    private static QosClass Classify(Dictionary<string, Quantity> requests, Dictionary<string, Quantity> limits, bool limitedThroughout)
    {
        if (requests.Count == 0 && limits.Count == 0)
        {
            return QosClass.BestEffort;
        }

        bool equal = requests.Count == limits.Count && requests.All(r => limits.TryGetValue(r.Key, out Quantity limit) && limit == r.Value);
        return limitedThroughout && equal ? QosClass.Guaranteed : QosClass.Burstable;
    }

    private static bool HasBoth(IReadOnlyDictionary<string, Quantity> limits) => Positive(limits).Count == 2;

    private static Dictionary<string, Quantity> Positive(IReadOnlyDictionary<string, Quantity>? list)
    {
        Dictionary<string, Quantity> kept = [];
        foreach (string name in (ReadOnlySpan<string>)[PodResources.Cpu, PodResources.Memory])
        {
            if (PodResources.Amount(list, name) is { Sign: > 0 } amount)
            {
                kept[name] = amount;
            }
        }

        return kept;
    }
}
