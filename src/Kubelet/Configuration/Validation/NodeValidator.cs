using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>The node object, its lease, taints, and the cgroup version of the host.</summary>
internal static class NodeValidator
{
    internal static void Validate(ValidationRun run, bool hostHasCgroupV1)
    {
        KubeletConfiguration c = run.Configuration;
        run.Require(c.NodeLeaseDurationSeconds > 0, "nodeLeaseDurationSeconds", $"{c.NodeLeaseDurationSeconds} is not positive", "use 1 or more");
        run.Require(c.NodeStatusMaxImages >= -1, "nodeStatusMaxImages", $"{c.NodeStatusMaxImages} is less than -1", "use -1 for all images, or 0 or more");
        run.RequireNotNegative(c.MaxOpenFiles, "maxOpenFiles");
        run.RequireNotNegative(c.MaxPods, "maxPods");
        run.RequireNotNegative(c.PodsPerCore, "podsPerCore");
        run.RequireRange(c.OomScoreAdj, -1000, 1000, "oomScoreAdj");
        run.RequireRange(c.IptablesMasqueradeBit, 0, 31, "iptablesMasqueradeBit");
        run.RequireRange(c.IptablesDropBit, 0, 31, "iptablesDropBit");
        foreach (Taint taint in c.RegisterWithTaints)
        {
            run.Require(taint.Key.Length > 0 && taint.Effect is "NoSchedule" or "PreferNoSchedule" or "NoExecute", "registerWithTaints",
                $"\"{taint.Key}={taint.Value}:{taint.Effect}\" is no taint", "give a key and the effect NoSchedule, PreferNoSchedule or NoExecute");
            run.Require(taint.TimeAdded is null, "registerWithTaints", $"taint {taint.Key} has timeAdded", "remove timeAdded");
        }
        run.Require(!hostHasCgroupV1 || !c.FailCgroupV1, "failCgroupV1", "this host has cgroup v1, and failCgroupV1 is true",
            "boot with cgroup v2, or set failCgroupV1: false");
        run.Require(!hostHasCgroupV1 || c.SingleProcessOOMKill != false, "singleProcessOOMKill", "cannot be false on cgroup v1", "remove it");
        if (c.UserNamespaceIdsPerPod is { } ids)
        {
            run.Require(ids >= 65536 && ids % 65536 == 0 && ids <= uint.MaxValue, "userNamespaces.idsPerPod", $"{ids} is no multiple of 65536 below 2^32",
                "use 65536 or a multiple");
        }
    }
}
