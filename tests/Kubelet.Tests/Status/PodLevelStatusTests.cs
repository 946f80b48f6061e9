using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Tests.Resources;
using NodeAgent.Kubelet.Tests.Sync;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;
using static NodeAgent.Kubelet.Tests.Resources.PodResourcesTests;

namespace NodeAgent.Kubelet.Tests.Status;

public sealed class PodLevelStatusTests
{
    private static readonly Pod Pod = PodLevelResourcesTests.Whole(PodOf([With("a", "", "")]), "cpu=200m memory=64Mi", "cpu=400m memory=128Mi");

    private static string Told(Pod pod, CgroupLimits? cgroup, PodStatus? previous = null, ResourceRequirements? given = null) =>
        PodLevelStatus.Resources(new PodStatusInputs
        {
            Pod = pod,
            Runtime = RuntimeStates.Running(pod),
            Previous = previous ?? new PodStatus(),
            Verdict = (_, _) => null,
            QosClass = "Burstable",
            Now = default,
            Cgroup = cgroup,
            Actuated = new ActuatedResources(_ => null, given),
        }) is var r ? $"{Text(r.Requests)} of {Text(r.Limits)}" : "";

    private static string Text(IReadOnlyDictionary<string, Quantity> list) => string.Join(' ', list.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}"));

    [Fact]
    public void A_pod_that_does_not_run_has_what_is_allocated()
    {
        Assert.Equal("cpu=200m memory=64Mi of cpu=400m memory=128Mi", Told(Pod, null));
        Assert.Equal("cpu=100m of cpu=1", Told(PodOf([With("a", "cpu=100m", "cpu=1"), With("b", "", "")]), null));
        Assert.Equal(" of ", Told(PodOf([With("a", "", "")]), null));
    }

    [Fact]
    public void A_pod_that_runs_has_what_its_cgroup_has()
    {
        Assert.Equal("cpu=100m memory=64Mi of cpu=300m memory=96Mi",
            Told(Pod, new CgroupLimits { CpuShares = 102, CpuQuota = 30_000, Memory = 96 << 20 }));
        // A sum of limits that does not hold for every container is no limit of the pod.
        Pod half = PodOf([With("a", "cpu=100m memory=10Mi", "cpu=1"), With("b", "", "")]);
        Assert.Equal("cpu=100m memory=10Mi of ", Told(half, PodCgroupLimits.ForPod(half, true, 100_000, -1)));
        Pod least = PodOf([With("a", "", "")]);
        Assert.Equal(" of ", Told(least, PodCgroupLimits.ForPod(least, true, 100_000, -1)));
    }

    [Fact]
    public void A_request_that_the_cgroup_keeps_as_coarse_as_a_weight_is_told_as_allocated()
    {
        long coarse = CgroupUnits.SharesOfWeight(CgroupUnits.WeightOf(CgroupUnits.SharesOf(200)));
        Assert.NotEqual(200, CgroupUnits.MilliOfShares(coarse));
        Assert.StartsWith("cpu=200m ", Told(Pod, new CgroupLimits { CpuShares = coarse }), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_requests_are_those_given_last_and_what_the_kernel_does_not_tell_stays()
    {
        var before = new PodStatus { Phase = "Running", Resources = With("", "cpu=150m memory=32Mi", "cpu=350m memory=100Mi").Resources };
        Assert.Equal("cpu=150m memory=48Mi of cpu=350m memory=100Mi", Told(Pod, CgroupLimits.None, before, With("", "memory=48Mi", "").Resources));
    }
}
