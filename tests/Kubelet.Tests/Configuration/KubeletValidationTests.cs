using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Tests.Configuration;

public sealed class KubeletValidationTests
{
    public static TheoryData<string, KubeletConfiguration> Violations { get; } = new()
    {
        { "nodeLeaseDurationSeconds", new() { NodeLeaseDurationSeconds = -1 } },
        { "systemCgroups", new() { SystemCgroups = "/system" } },
        { "eventBurst", new() { EventBurst = -1 } },
        { "eventRecordQPS", new() { EventRecordQPS = -1 } },
        { "healthzPort", new() { HealthzPort = 65536 } },
        { "cpuCFSQuotaPeriod", new() { CpuCFSQuotaPeriod = TimeSpan.FromSeconds(2) } },
        { "imageGCHighThresholdPercent", new() { ImageGCHighThresholdPercent = 101 } },
        { "imageGCLowThresholdPercent", new() { ImageGCLowThresholdPercent = 85 } },
        { "imageMinimumGCAge", new() { ImageMinimumGCAge = TimeSpan.FromSeconds(-1) } },
        { "imageMaximumGCAge", new() { ImageMaximumGCAge = TimeSpan.FromSeconds(1) } },
        { "iptablesDropBit", new() { IptablesDropBit = 32 } },
        { "iptablesMasqueradeBit", new() { IptablesMasqueradeBit = -1 } },
        { "kubeAPIBurst", new() { KubeAPIBurst = -1 } },
        { "kubeAPIQPS", new() { KubeAPIQPS = -1 } },
        { "nodeStatusMaxImages", new() { NodeStatusMaxImages = -2 } },
        { "maxOpenFiles", new() { MaxOpenFiles = -1 } },
        { "maxPods", new() { MaxPods = -1 } },
        { "oomScoreAdj", new() { OomScoreAdj = -1001 } },
        { "podsPerCore", new() { PodsPerCore = -1 } },
        { "port", new() { Port = 65536 } },
        { "readOnlyPort", new() { ReadOnlyPort = -1 } },
        { "registryBurst", new() { RegistryBurst = -1 } },
        { "registryPullQPS", new() { RegistryPullQPS = -1 } },
        { "maxParallelImagePulls", new() { MaxParallelImagePulls = 0 } },
        { "maxParallelImagePulls", new() { MaxParallelImagePulls = 2 } },
        { "runOnce", new() { RunOnce = true } },
        { "registerWithTaints", new() { RegisterWithTaints = [new() { Key = "a", Effect = "Never" }] } },
        { "registerWithTaints", new() { RegisterWithTaints = [new() { Key = "a", Effect = "NoExecute", TimeAdded = DateTimeOffset.UnixEpoch }] } },
        { "topologyManagerPolicy", new() { TopologyManagerPolicy = "all" } },
        { "topologyManagerScope", new() { TopologyManagerScope = "node" } },
        { "shutdownGracePeriodCriticalPods", new() { ShutdownGracePeriod = TimeSpan.FromSeconds(1), ShutdownGracePeriodCriticalPods = TimeSpan.FromSeconds(2) } },
        { "shutdownGracePeriod", new() { ShutdownGracePeriod = TimeSpan.FromMilliseconds(500) } },
        { "shutdownGracePeriodByPodPriority", new() { ShutdownGracePeriod = TimeSpan.FromSeconds(9), ShutdownGracePeriodByPodPriority = [new(1, 2)] } },
        { "memorySwap.swapBehavior", new() { SwapBehavior = "UnlimitedSwap" } },
        { "crashLoopBackOff.maxContainerRestartPeriod", new() { MaxContainerRestartPeriod = TimeSpan.FromSeconds(301) } },
        { "enforceNodeAllocatable", new() { EnforceNodeAllocatable = ["pods", "pods"] } },
        { "enforceNodeAllocatable", new() { EnforceNodeAllocatable = ["none", "pods"] } },
        { "enforceNodeAllocatable", new() { EnforceNodeAllocatable = ["all"] } },
        { "systemReservedCgroup", new() { EnforceNodeAllocatable = ["system-reserved"] } },
        { "kubeReservedCgroup", new() { EnforceNodeAllocatable = ["kube-reserved-compressible"] } },
        { "enforceNodeAllocatable", new() { EnforceNodeAllocatable = ["kube-reserved", "kube-reserved-compressible"], KubeReservedCgroup = "/k" } },
        { "cgroupsPerQOS", new() { CgroupsPerQOS = false } },
        { "hairpinMode", new() { HairpinMode = "on" } },
        { "imagePullCredentialsVerificationPolicy", new() { ImagePullCredentialsVerificationPolicy = "Sometimes" } },
        { "preloadedImagesVerificationAllowlist", new() { PreloadedImagesVerificationAllowlist = ["a"] } },
        { "reservedSystemCPUs", new() { ReservedSystemCPUs = "0-", } },
        { "reservedSystemCPUs", new() { ReservedSystemCPUs = "0", KubeReservedCgroup = "/k" } },
        { "reservedMemory", new() { ReservedMemory = [new(0, new Dictionary<string, string> { ["cpu"] = "1" })] } },
        { "reservedMemory", new() { ReservedMemory = [new(0, new Dictionary<string, string> { ["memory"] = "0" })] } },
        { "memoryThrottlingFactor", new() { MemoryThrottlingFactor = 0 } },
        { "memoryReservationPolicy", new() { MemoryReservationPolicy = "TieredReservation" } },
        { "containerRuntimeEndpoint", new() { ContainerRuntimeEndpoint = "" } },
        { "enableSystemLogQuery", new() { EnableSystemLogQuery = true, EnableSystemLogHandler = false } },
        { "containerLogMaxWorkers", new() { ContainerLogMaxWorkers = 0 } },
        { "containerLogMonitorInterval", new() { ContainerLogMonitorInterval = TimeSpan.FromSeconds(2) } },
        { "containerLogMaxFiles", new() { ContainerLogMaxFiles = 1 } },
        { "podLogsDir", new() { PodLogsDir = "/var//log" } },
        { "podLogsDir", new() { PodLogsDir = "log" } },
        { "podLogsDir", new() { PodLogsDir = "/var/lög" } },
        { "systemReserved[gpu]", new() { SystemReserved = new Dictionary<string, string> { ["gpu"] = "1" } } },
        { "kubeReserved[cpu]", new() { KubeReserved = new Dictionary<string, string> { ["cpu"] = "-1" } } },
        { "userNamespaces.idsPerPod", new() { UserNamespaceIdsPerPod = 65537 } },
        { "logging.format", new() { Logging = new() { Format = "xml" } } },
        { "logging.options", new() { Logging = new() { TextSplitStream = true } } },
        { "evictionHard[disk]", new() { EvictionHard = new Dictionary<string, string> { ["disk"] = "1%" } } },
        { "evictionHard[memory.available]", new() { EvictionHard = new Dictionary<string, string> { ["memory.available"] = "lots" } } },
        { "evictionSoftGracePeriod[memory.available]", new() { EvictionSoft = new Dictionary<string, string> { ["memory.available"] = "1Gi" } } },
    };

    [Theory]
    [MemberData(nameof(Violations), DisableDiscoveryEnumeration = true)]
    public void A_violation_is_told_with_field_and_remedy(string path, KubeletConfiguration configuration)
    {
        IReadOnlyList<ConfigurationProblem> problems = KubeletValidation.Validate(configuration, FeatureGates.Defaults, hostHasCgroupV1: false, "file");
        ConfigurationProblem problem = Assert.Single(problems, p => p.Path == path);
        Assert.True(problem.IsFatal(strict: false));
        Assert.NotEmpty(problem.Remedy);
    }

    [Fact]
    public void The_defaults_are_valid() =>
        Assert.Empty(KubeletValidation.Validate(new KubeletConfiguration(), FeatureGates.Defaults, hostHasCgroupV1: false, "file"));

    [Fact]
    public void Every_violation_is_told_at_once()
    {
        KubeletConfiguration configuration = new() { MaxPods = -1, Port = 0, OomScoreAdj = 2000, PodLogsDir = "" };
        IReadOnlyList<ConfigurationProblem> problems = KubeletValidation.Validate(configuration, FeatureGates.Defaults, hostHasCgroupV1: false, "file");
        Assert.Superset(new HashSet<string> { "maxPods", "port", "oomScoreAdj", "podLogsDir" }, problems.Select(p => p.Path).ToHashSet());
    }

    [Theory]
    [InlineData(true, null, "failCgroupV1")]
    [InlineData(false, false, "singleProcessOOMKill")]
    [InlineData(false, null, null)]
    public void Cgroup_v1_is_refused_as_configured(bool fail, bool? single, string? path)
    {
        KubeletConfiguration configuration = new() { FailCgroupV1 = fail, SingleProcessOOMKill = single };
        IReadOnlyList<ConfigurationProblem> problems = KubeletValidation.Validate(configuration, FeatureGates.Defaults, hostHasCgroupV1: true, "file");
        Assert.Equal(path is null ? [] : [path], problems.Select(p => p.Path));
    }
}
