using NodeAgent.Kubelet.Admission;
using NodeAgent.Kubelet.Tests.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Admission;

public sealed class PreemptionTests
{
    private const int Critical = 2_000_000_000;

    private static readonly Node Host = new()
    {
        Metadata = new ObjectMeta { Name = "n1" },
        Status = new NodeStatus { Allocatable = PodResourcesTests.List("cpu=4", "memory=4Gi", "pods=10") },
    };

    private static readonly PodAdmission Chain = PodAdmission.Default("n1", new SysctlAllowlist("6.1.0", []), AdmissionFeatures.All);

    private static Pod Named(string name, string requests, string limits = "", int? priority = null) => PodResourcesTests.PodOf([PodResourcesTests.With("a", requests, limits)]) is var p
        ? p with { Metadata = p.Metadata with { Name = name, Uid = name }, Spec = p.Spec with { Priority = priority } } : null!;

    private static AdmitResult Ask(Pod pod, params Pod[] others) => Chain.Admit(new AdmissionRequest(pod, Host, others));

    private static string[] Victims(AdmitResult result) => [.. Assert.IsType<AdmitResult.AfterPreemption>(result).Victims.Select(v => v.Metadata.Name!)];

    [Fact]
    public void A_critical_pod_pushes_out_the_pod_that_comes_nearest_to_what_is_missing() =>
        Assert.Equal(["right"], Victims(Ask(Named("new", "cpu=1", priority: Critical), Named("big", "cpu=2"), Named("right", "cpu=1"), Named("small", "cpu=500m"), Named("small2", "cpu=500m"))));

    [Fact]
    public void Of_two_that_do_the_one_with_less_memory_goes() =>
        Assert.Equal(["less"], Victims(Ask(Named("new", "cpu=2", priority: Critical), Named("more", "cpu=2 memory=2Gi"), Named("less", "cpu=2 memory=1Gi"))));

    [Fact]
    public void Guaranteed_pods_go_last() =>
        Assert.Equal(["burst"], Victims(Ask(Named("new", "cpu=1", priority: Critical), Named("sure", "cpu=2 memory=1Gi", "cpu=2 memory=1Gi"), Named("burst", "cpu=2"))));

    [Fact]
    public void Critical_pods_are_never_pushed_out_by_critical_ones_of_the_same_priority() =>
        Assert.Equal(("UnexpectedAdmissionError",
            "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 1000), ]"),
            Ask(Named("new", "cpu=1", priority: Critical), Named("other", "cpu=4", priority: Critical)) is AdmitResult.Rejected r ? (r.Reason, r.Message) : default);

    [Fact]
    public void A_pod_that_is_not_critical_pushes_out_nobody() =>
        Assert.Equal("OutOfcpu", Assert.IsType<AdmitResult.Rejected>(Ask(Named("new", "cpu=1", priority: 1000), Named("low", "cpu=4", priority: 1))).Reason);

    [Fact]
    public void A_full_node_loses_as_many_pods_as_places_are_missing() =>
        Assert.Single(Victims(Ask(Named("new", "", priority: Critical), [.. Enumerable.Range(0, 10).Select(i => Named($"p{i}", "cpu=10m"))])));

    [Fact]
    public void Nobody_is_pushed_out_for_a_pod_that_is_turned_away_anyway()
    {
        Pod wanted = Named("new", "cpu=4", priority: Critical);
        Pod elsewhere = wanted with { Spec = wanted.Spec with { NodeSelector = new Dictionary<string, string> { ["disk"] = "ssd" } } };
        Assert.Equal("NodeAffinity", Assert.IsType<AdmitResult.Rejected>(Ask(elsewhere, Named("low", "cpu=4"))).Reason);
        var noAppArmor = PodAdmission.Default("n1", new SysctlAllowlist("6.1.0", []), new AdmissionFeatures(false, true));
        Pod profiled = wanted with { Spec = wanted.Spec with { SecurityContext = new PodSecurityContext { AppArmorProfile = new AppArmorProfile { Type = "RuntimeDefault" } } } };
        Assert.Equal("AppArmor", Assert.IsType<AdmitResult.Rejected>(noAppArmor.Admit(new AdmissionRequest(profiled, Host, [Named("low", "cpu=4")]))).Reason);
    }

    [Fact]
    public void The_victim_is_told_by_upstream_s_condition()
    {
        PodCondition condition = CriticalPodPreemption.Condition(Named("v", ""), DateTimeOffset.UnixEpoch);
        Assert.Equal(("DisruptionTarget", "True", "TerminationByKubelet", "Pod was preempted by Kubelet to accommodate a critical pod."), (condition.Type, condition.Status, condition.Reason, condition.Message));
    }

    [Theory]
    [InlineData("RuntimeDefault", null, false, "Pending", "Cannot enforce AppArmor: AppArmor is not enabled on the host")]
    [InlineData("Unconfined", null, false, "Pending", null)]
    [InlineData("RuntimeDefault", null, false, "Running", null)]
    [InlineData("Localhost", " ", true, "Pending", "Cannot enforce AppArmor: invalid empty AppArmor profile name: \"\"")]
    [InlineData("Localhost", "mine", true, "Pending", null)]
    public void AppArmor(string type, string? name, bool enabled, string phase, string? message)
    {
        Pod pod = Named("p", "") is var p ? p with
        {
            Spec = p.Spec with { Containers = [p.Spec.Containers[0] with { SecurityContext = new SecurityContext { AppArmorProfile = new AppArmorProfile { Type = type, LocalhostProfile = name } } }] },
            Status = new PodStatus { Phase = phase },
        } : null!;
        AdmitResult result = PodAdmission.Default("n1", new SysctlAllowlist("6.1.0", []), new AdmissionFeatures(enabled, true)).Admit(new AdmissionRequest(pod, Host, []));
        AdmitResult expected = message is null ? AdmitResult.Admitted.Instance : new AdmitResult.Rejected("AppArmor", message);
        Assert.Equal(expected, result);
    }

    [Theory]
    [InlineData("localhost/mine", true)]
    [InlineData("unconfined", false)]
    public void AppArmor_by_the_old_annotation(string value, bool rejected)
    {
        Pod pod = Named("p", "") is var p ? p with { Metadata = p.Metadata with { Annotations = new Dictionary<string, string> { ["container.apparmor.security.beta.kubernetes.io/a"] = value } } } : null!;
        AdmitResult result = PodAdmission.Default("n1", new SysctlAllowlist("6.1.0", []), new AdmissionFeatures(false, true)).Admit(new AdmissionRequest(pod, Host, []));
        Assert.Equal(rejected, result is AdmitResult.Rejected);
    }

    [Fact]
    public void Pod_level_resources_need_their_gate()
    {
        Pod pod = Named("p", "") is var p ? p with { Spec = p.Spec with { Resources = new ResourceRequirements { Requests = PodResourcesTests.List("cpu=1") } } } : null!;
        PodAdmission off = PodAdmission.Default("n1", new SysctlAllowlist("6.1.0", []), new AdmissionFeatures(true, false));
        Assert.Equal(new AdmitResult.Rejected("PodLevelResourcesNotSupported", "PodLevelResources feature gate is disabled"), off.Admit(new AdmissionRequest(pod, Host, [])));
        Assert.IsType<AdmitResult.Admitted>(Ask(pod));
    }
}
