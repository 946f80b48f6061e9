using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Cgroups, the resource managers' policies, swap, memory.</summary>
internal static class ResourceValidator
{
    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.Require(c.SystemCgroups.Length == 0 || c.CgroupRoot.Length > 0, "systemCgroups", "needs cgroupRoot", "set cgroupRoot");
        run.RequireOneOf(c.CgroupDriver, "cgroupDriver", "cgroupfs", "systemd");
        Quota(run);
        Policies(run);
        Memory(run);
        ReservedMemory(run);
    }

    private static void Quota(ValidationRun run)
    {
        TimeSpan period = run.Configuration.CpuCFSQuotaPeriod;
        bool custom = run.Gates.IsEnabled("CustomCPUCFSQuotaPeriod");
        run.Require(custom || period == TimeSpan.FromMilliseconds(100), "cpuCFSQuotaPeriod", "needs the feature gate CustomCPUCFSQuotaPeriod",
            "set the gate or use 100ms");
        run.Require(!custom || (period >= TimeSpan.FromMilliseconds(1) && period <= TimeSpan.FromSeconds(1)), "cpuCFSQuotaPeriod",
            $"{GoDuration.Format(period)} is out of range", "use 1ms to 1s");
    }

    private static void Policies(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.RequireOneOf(c.CpuManagerPolicy, "cpuManagerPolicy", "none", "static");
        run.RequireOneOf(c.MemoryManagerPolicy, "memoryManagerPolicy", "None", "Static");
        run.RequireOneOf(c.TopologyManagerPolicy, "topologyManagerPolicy", "none", "best-effort", "restricted", "single-numa-node");
        run.RequireOneOf(c.TopologyManagerScope, "topologyManagerScope", "container", "pod");
        run.Require(c.QosReserved.Count == 0 || run.Gates.IsEnabled("QOSReserved"), "qosReserved", "needs the feature gate QOSReserved", "set the gate");
    }

    private static void Memory(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.RequireOneOf(c.SwapBehavior, "memorySwap.swapBehavior", "", "NoSwap", "LimitedSwap");
        run.Require(c.MemoryThrottlingFactor is null or (> 0 and <= 1), "memoryThrottlingFactor", $"{c.MemoryThrottlingFactor} is out of range",
            "use more than 0, at most 1");
        run.RequireOneOf(c.MemoryReservationPolicy, "memoryReservationPolicy", "None", "TieredReservation");
        run.Require(c.MemoryReservationPolicy != "TieredReservation" || run.Gates.IsEnabled("MemoryQoS"), "memoryReservationPolicy",
            "TieredReservation needs the feature gate MemoryQoS", "set the gate or use None");
    }

    private static void ReservedMemory(ValidationRun run)
    {
        HashSet<(int, string)> seen = [];
        foreach (MemoryReservation reservation in run.Configuration.ReservedMemory)
        {
            foreach ((string resource, string amount) in reservation.Limits)
            {
                string what = $"node {reservation.NumaNode}, {resource}";
                run.Require(resource == "memory" || resource.StartsWith("hugepages-", StringComparison.Ordinal), "reservedMemory",
                    $"{what}: not supported", "use memory or hugepages-SIZE");
                run.Require(Quantity.TryParse(amount, out Quantity q) && !q.IsZero, "reservedMemory", $"{what}: is zero", "give an amount");
                run.Require(seen.Add((reservation.NumaNode, resource)), "reservedMemory", $"{what}: given twice", "remove one of them");
            }
        }
    }
}
