namespace NodeAgent.Kubernetes.Objects;

/// <summary>Labels with a fixed meaning (upstream: api/core/v1/well_known_labels.go and others).</summary>
public static class WellKnownLabels
{
#pragma warning disable CS1591 // The names say it.
    public const string Hostname = "kubernetes.io/hostname";
    public const string OperatingSystem = "kubernetes.io/os";
    public const string Architecture = "kubernetes.io/arch";
    public const string InstanceType = "node.kubernetes.io/instance-type";
    public const string InstanceTypeBeta = "beta.kubernetes.io/instance-type";
    public const string OperatingSystemBeta = "beta.kubernetes.io/os";
    public const string ArchitectureBeta = "beta.kubernetes.io/arch";
    public const string TopologyZone = "topology.kubernetes.io/zone";
    public const string TopologyRegion = "topology.kubernetes.io/region";
    public const string TopologyZoneBeta = "failure-domain.beta.kubernetes.io/zone";
    public const string TopologyRegionBeta = "failure-domain.beta.kubernetes.io/region";
    public const string NodeExcludeBalancers = "node.kubernetes.io/exclude-from-external-load-balancers";
    public const string ServiceName = "kubernetes.io/service-name";
    public const string ServiceProxyName = "service.kubernetes.io/service-proxy-name";
    public const string HeadlessService = "service.kubernetes.io/headless";
    public const string EndpointSliceManagedBy = "endpointslice.kubernetes.io/managed-by";
    public const string SkipMirror = "endpointslice.kubernetes.io/skip-mirror";

    // On containers and sandboxes in the runtime.
    public const string PodName = "io.kubernetes.pod.name";
    public const string PodNamespace = "io.kubernetes.pod.namespace";
    public const string PodUid = "io.kubernetes.pod.uid";
    public const string ContainerName = "io.kubernetes.container.name";
#pragma warning restore CS1591
}

/// <summary>Annotations with a fixed meaning.</summary>
public static class WellKnownAnnotations
{
#pragma warning disable CS1591 // The names say it.
    public const string ConfigSource = "kubernetes.io/config.source";
    public const string ConfigMirror = "kubernetes.io/config.mirror";
    public const string ConfigHash = "kubernetes.io/config.hash";
    public const string ConfigSeen = "kubernetes.io/config.seen";
    public const string BootstrapCheckpoint = "node.kubernetes.io/bootstrap-checkpoint";
    public const string DefaultContainer = "kubectl.kubernetes.io/default-container";
    public const string TopologyMode = "service.kubernetes.io/topology-mode";
    public const string ControllerManagedAttach = "volumes.kubernetes.io/controller-managed-attach-detach";
    public const string ProvidedNodeIp = "alpha.kubernetes.io/provided-node-ip";
    public const string NodeTtl = "node.alpha.kubernetes.io/ttl";
    public const string StorageClassBeta = "volume.beta.kubernetes.io/storage-class";
    public const string MountOptions = "volume.beta.kubernetes.io/mount-options";
#pragma warning restore CS1591
}

/// <summary>Keys of taints that the node or its controllers set.</summary>
public static class WellKnownTaints
{
#pragma warning disable CS1591 // The names say it.
    public const string NotReady = "node.kubernetes.io/not-ready";
    public const string Unreachable = "node.kubernetes.io/unreachable";
    public const string Unschedulable = "node.kubernetes.io/unschedulable";
    public const string MemoryPressure = "node.kubernetes.io/memory-pressure";
    public const string DiskPressure = "node.kubernetes.io/disk-pressure";
    public const string PidPressure = "node.kubernetes.io/pid-pressure";
    public const string NetworkUnavailable = "node.kubernetes.io/network-unavailable";
    public const string OutOfService = "node.kubernetes.io/out-of-service";
    public const string CloudProviderUninitialized = "node.cloudprovider.kubernetes.io/uninitialized";
#pragma warning restore CS1591
}

/// <summary>Names of resources in requests, limits, capacity and allocatable.</summary>
public static class ResourceNames
{
#pragma warning disable CS1591 // The names say it.
    public const string Cpu = "cpu";
    public const string Memory = "memory";
    public const string EphemeralStorage = "ephemeral-storage";
    public const string Storage = "storage";
    public const string Pods = "pods";
    public const string HugePagesPrefix = "hugepages-";
#pragma warning restore CS1591
}
