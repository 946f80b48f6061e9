using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Admission;

/// <summary>
/// Node information, operating system, resources, affinity, node name, host ports, taints; all are looked at and the first failure in this
/// order is reported; a critical pod that only lacks resources pushes others out.
/// Source: pkg/kubelet/lifecycle/predicate.go and the scheduler's AdmissionCheck.
/// </summary>
internal sealed class PredicateAdmission(string nodeName) : IPodAdmitHandler
{
    private const string Linux = "linux";
    private const string OsLabel = "kubernetes.io/os";

    public AdmitResult Admit(AdmissionRequest request)
    {
        if (request.Node is not { } node)
        {
            return new AdmitResult.Rejected("InvalidNodeInfo", "Kubelet cannot get node info.");
        }

        Pod pod = request.Pod;
        if ((OperatingSystem(pod) ?? SupplementalGroups(pod, node)) is { } rejected)
        {
            return rejected;
        }

        List<ResourceShortage> shortages = [.. Shortages(pod, node, request.OtherPods)];
        AdmitResult.Rejected? other = Predicates(pod, node, request.OtherPods);
        return shortages.Count == 0 ? other ?? (AdmitResult)AdmitResult.Admitted.Instance
            : !pod.IsCritical ? OutOf(shortages[0])
            : other ?? Preempt(request, shortages);
    }

    /// <summary>A critical pod is not turned away for want of resources: others make room.</summary>
    private static AdmitResult Preempt(AdmissionRequest request, List<ResourceShortage> shortages) =>
        Preemption.Choose(request.Pod, request.OtherPods, shortages) is { } victims ? new AdmitResult.AfterPreemption(victims)
            : new AdmitResult.Rejected(
                "UnexpectedAdmissionError",
                "Unexpected error while attempting to recover from admission failure: " + Preemption.Unmet(request.Pod, request.OtherPods, shortages));

    private static AdmitResult.Rejected? OperatingSystem(Pod pod)
    {
        // Upstream reads the pod's label of this name here, not its node selector.
        if (pod.Metadata.Labels.TryGetValue(OsLabel, out string? label) && label != Linux)
        {
            return new("PodOSSelectorNodeLabelDoesNotMatch", "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label");
        }

        return pod.Spec.Os is { } os && os.Name != Linux ? new("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS") : null;
    }

    private static AdmitResult.Rejected? SupplementalGroups(Pod pod, Node node) =>
        pod.Spec.SecurityContext?.SupplementalGroupsPolicy == "Strict" && node.Status.Features?.SupplementalGroupsPolicy != true
            ? new("SupplementalGroupsPolicyNotSupported", "SupplementalGroupsPolicy=Strict is not supported in this node") : null;

    private static IEnumerable<ResourceShortage> Shortages(Pod pod, Node node, IReadOnlyList<Pod> others)
    {
        IReadOnlyDictionary<string, Quantity> allocatable = node.Status.Allocatable;
        long podCapacity = PodResources.Amount(allocatable, PodResources.Pods)?.Value() ?? 0;
        if (others.Count + 1 > podCapacity)
        {
            yield return new(PodResources.Pods, 1, others.Count, podCapacity);
        }

        IReadOnlyDictionary<string, Quantity> wanted = PodResources.Requests(pod);
        List<IReadOnlyDictionary<string, Quantity>> used = [.. others.Select(p => PodResources.Requests(p))];
        foreach (string name in Ordered(wanted.Keys))
        {
            bool extended = !PodResources.IsPodLevelResource(name) && name != PodResources.EphemeralStorage;
            if (extended && !allocatable.ContainsKey(name))
            {
                continue; // cluster-level or DRA-backed: not this node's to count
            }

            long request = Units(name, wanted[name]);
            long taken = used.Sum(u => PodResources.Amount(u, name) is { } q ? Units(name, q) : 0);
            long capacity = PodResources.Amount(allocatable, name) is { } total ? Units(name, total) : 0;
            if (request > 0 && request > capacity - taken)
            {
                yield return new(name, request, taken, capacity);
            }
        }
    }

    private AdmitResult.Rejected? Predicates(Pod pod, Node node, IReadOnlyList<Pod> others)
    {
        if (!NodeAffinityMatch.Fits(pod.Spec, node))
        {
            return Failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
        }

        if (!string.IsNullOrEmpty(pod.Spec.NodeName) && pod.Spec.NodeName != nodeName)
        {
            return Failed("NodeName", "node(s) didn't match the requested node name");
        }

        if (HostPorts.Conflict(pod, others))
        {
            return Failed("NodePorts", "node(s) didn't have free ports for the requested pod ports");
        }

        return !pod.IsStatic && Taints.UntoleratedNoExecute(node.Spec.Taints, pod.Spec.Tolerations) is not null
            ? Failed("TaintToleration", "node(s) had taints that the pod didn't tolerate") : null;
    }

    private static IEnumerable<string> Ordered(IEnumerable<string> names)
    {
        string[] first = [PodResources.Cpu, PodResources.Memory, PodResources.EphemeralStorage];
        string[] all = [.. names];
        return first.Where(all.Contains).Concat(all.Except(first).Order(StringComparer.Ordinal));
    }

    private static long Units(string name, Quantity quantity) => name == PodResources.Cpu ? quantity.MilliValue() : quantity.Value();

    private static AdmitResult.Rejected OutOf(ResourceShortage s) =>
        new("OutOf" + s.Resource, $"Node didn't have enough resource: {s.Resource}, requested: {s.Requested}, used: {s.Used}, capacity: {s.Capacity}");

    private static AdmitResult.Rejected Failed(string predicate, string why) => new(predicate, $"Predicate {predicate} failed: {why}");
}

/// <summary>Host ports of pods. Pure.</summary>
public static class HostPorts
{
    /// <summary>True where a host port of the pod is taken by another.</summary>
    public static bool Conflict(Pod pod, IEnumerable<Pod> others)
    {
        List<(string IP, string Protocol, int Port)> wanted = [.. Of(pod)];
        return wanted.Count > 0 && others.SelectMany(Of).Any(taken => wanted.Any(w => Clash(w, taken)));
    }

    private static bool Clash((string IP, string Protocol, int Port) a, (string IP, string Protocol, int Port) b) =>
        a.Port == b.Port && a.Protocol == b.Protocol && (a.IP == b.IP || a.IP == "0.0.0.0" || b.IP == "0.0.0.0");

    private static IEnumerable<(string IP, string Protocol, int Port)> Of(Pod pod) =>
        pod.Spec.Containers.Concat(pod.Spec.InitContainers.Where(c => c.RestartPolicy == "Always"))
            .SelectMany(c => c.Ports)
            .Where(p => p.HostPort > 0)
            .Select(p => (string.IsNullOrEmpty(p.HostIP) ? "0.0.0.0" : p.HostIP, string.IsNullOrEmpty(p.Protocol) ? "TCP" : p.Protocol, p.HostPort!.Value));
}
