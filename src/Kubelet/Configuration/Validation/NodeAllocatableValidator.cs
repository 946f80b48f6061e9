using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Reservations and what of them is enforced.</summary>
internal static class NodeAllocatableValidator
{
    private const string Path = "enforceNodeAllocatable";

    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        Conflict(run, "system-reserved");
        Conflict(run, "kube-reserved");
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (string value in c.EnforceNodeAllocatable)
        {
            run.Require(seen.Add(value), Path, $"\"{value}\" is given twice", "remove one of them");
            Enforcement(run, value);
        }
        Reservation(run, c.SystemReserved, "systemReserved");
        Reservation(run, c.KubeReserved, "kubeReserved");
        if (c.ReservedSystemCPUs.Length == 0)
            return;
        run.Require(c.SystemReservedCgroup.Length == 0 && c.KubeReservedCgroup.Length == 0, "reservedSystemCPUs",
            "cannot go with systemReservedCgroup or kubeReservedCgroup", "remove one of them");
        run.Require(CpuList.TryParse(c.ReservedSystemCPUs, out _), "reservedSystemCPUs", $"\"{c.ReservedSystemCPUs}\" is no CPU list", "give a list such as 0-3,8");
    }

    private static void Conflict(ValidationRun run, string name)
    {
        IReadOnlyList<string> given = run.Configuration.EnforceNodeAllocatable;
        run.Require(!given.Contains(name) || !given.Contains($"{name}-compressible"), Path, $"has both {name} and {name}-compressible", "remove one of them");
    }

    private static void Enforcement(ValidationRun run, string value)
    {
        KubeletConfiguration c = run.Configuration;
        switch (value)
        {
            case "none":
                run.Require(c.EnforceNodeAllocatable.Count == 1, Path, "has others beside none", "use none alone");
                return;
            case "pods":
                break;
            case "system-reserved" or "system-reserved-compressible":
                run.Require(c.SystemReservedCgroup.Length > 0, "systemReservedCgroup", $"must be set for {value}", "name the cgroup of system processes");
                break;
            case "kube-reserved" or "kube-reserved-compressible":
                run.Require(c.KubeReservedCgroup.Length > 0, "kubeReservedCgroup", $"must be set for {value}", "name the cgroup of node components");
                break;
            default:
                run.Require(false, Path, $"\"{value}\" is not supported",
                    "use pods, system-reserved, kube-reserved, one of these with -compressible, or none");
                return;
        }
        run.Require(c.CgroupsPerQOS, "cgroupsPerQOS", $"must be true for {value} in {Path}", $"set it, or {Path}: [none]");
    }

    private static void Reservation(ValidationRun run, IReadOnlyDictionary<string, string> reserved, string path)
    {
        foreach ((string resource, string amount) in reserved)
        {
            run.Require(resource is "cpu" or "memory" or "ephemeral-storage" or "pid", $"{path}[{resource}]", "cannot be reserved",
                "use cpu, memory, ephemeral-storage or pid");
            run.Require(Quantity.TryParse(amount, out Quantity quantity) && quantity.Sign >= 0, $"{path}[{resource}]", $"\"{amount}\" is no amount",
                "give a quantity that is not negative");
        }
    }
}
