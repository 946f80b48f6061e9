using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.StandIn.Storage;

/// <summary>All kinds this server stores.</summary>
internal static class ResourceTable
{
    public static ResourceDefinition Pods { get; } = new(Resources.Pods)
    {
        ShortNames = ["po"],
        Categories = ["all"],
        Subresources = ["status", "log", "exec", "attach", "portforward", "proxy", "binding", "eviction", "ephemeralcontainers", "resize"],
        SelectableFields =
        [
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        ],
        HasGeneration = true,
    };

    public static ResourceDefinition Nodes { get; } = new(Resources.Nodes)
    {
        ShortNames = ["no"],
        Subresources = ["status", "proxy"],
        SelectableFields = ["spec.unschedulable"],
    };

    public static ResourceDefinition Services { get; } = new(Resources.Services)
    {
        ShortNames = ["svc"],
        Categories = ["all"],
        Subresources = ["status", "proxy"],
        SelectableFields = ["spec.clusterIP", "spec.type"],
    };

    public static ResourceDefinition Namespaces { get; } = new(Resources.Namespaces)
    {
        ShortNames = ["ns"],
        Subresources = ["status", "finalize"],
        SelectableFields = ["status.phase"],
    };

    public static ResourceDefinition ConfigMaps { get; } = new(Resources.ConfigMaps) { ShortNames = ["cm"] };

    public static ResourceDefinition Secrets { get; } = new(Resources.Secrets) { SelectableFields = ["type"] };

    public static ResourceDefinition ServiceAccounts { get; } = new(Resources.ServiceAccounts) { ShortNames = ["sa"], Subresources = ["token"] };

    public static ResourceDefinition Events { get; } = new(Resources.Events)
    {
        ShortNames = ["ev"],
        SelectableFields =
        [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
            "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
        ],
    };

    public static ResourceDefinition Endpoints { get; } = new(new ResourceType("", "v1", "endpoints", "Endpoints", true)) { ShortNames = ["ep"] };

    public static ResourceDefinition EndpointSlices { get; } = new(Resources.EndpointSlices) { HasGeneration = true };

    public static ResourceDefinition Leases { get; } = new(Resources.Leases);

    public static ResourceDefinition Deployments { get; } = Workload("deployments", "Deployment", "deploy", "status", "scale");

    public static ResourceDefinition ReplicaSets { get; } =
        Workload("replicasets", "ReplicaSet", "rs", "status", "scale") with { SelectableFields = ["status.replicas"] };

    public static ResourceDefinition DaemonSets { get; } = Workload("daemonsets", "DaemonSet", "ds", "status");

    public static ResourceDefinition StatefulSets { get; } = Workload("statefulsets", "StatefulSet", "sts", "status", "scale");

    public static ResourceDefinition Jobs { get; } = new(new ResourceType("batch", "v1", "jobs", "Job", true))
    {
        Categories = ["all"],
        Subresources = ["status"],
        SelectableFields = ["status.successful"],
        HasGeneration = true,
    };

    public static ResourceDefinition PodDisruptionBudgets { get; } =
        new(new ResourceType("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true))
        {
            ShortNames = ["pdb"],
            Subresources = ["status"],
            HasGeneration = true,
        };

    public static ResourceDefinition CertificateSigningRequests { get; } = new(Resources.CertificateSigningRequests)
    {
        ShortNames = ["csr"],
        Subresources = ["status", "approval"],
        SelectableFields = ["spec.signerName"],
    };

    public static ResourceDefinition PriorityClasses { get; } =
        new(new ResourceType("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false)) { ShortNames = ["pc"] };

    public static ResourceDefinition RuntimeClasses { get; } = new(Resources.RuntimeClasses);

    public static ResourceDefinition ClusterRoles { get; } = Rbac("clusterroles", "ClusterRole", false);

    public static ResourceDefinition ClusterRoleBindings { get; } = Rbac("clusterrolebindings", "ClusterRoleBinding", false);

    public static ResourceDefinition Roles { get; } = Rbac("roles", "Role", true);

    public static ResourceDefinition RoleBindings { get; } = Rbac("rolebindings", "RoleBinding", true);

    public static IReadOnlyList<ResourceDefinition> All { get; } =
    [
        Pods, Nodes, Services, Namespaces, ConfigMaps, Secrets, ServiceAccounts, Events, Endpoints, EndpointSlices, Leases,
        Deployments, ReplicaSets, DaemonSets, StatefulSets, Jobs, PodDisruptionBudgets, CertificateSigningRequests, PriorityClasses,
        RuntimeClasses, ClusterRoles, ClusterRoleBindings, Roles, RoleBindings,
        Plain("apps", "controllerrevisions", "ControllerRevision", true),
        Plain("batch", "cronjobs", "CronJob", true, "status") with { ShortNames = ["cj"], HasGeneration = true },
        Plain("", "replicationcontrollers", "ReplicationController", true, "status", "scale") with { ShortNames = ["rc"], HasGeneration = true },
        Plain("", "limitranges", "LimitRange", true),
        Plain("", "resourcequotas", "ResourceQuota", true, "status") with { ShortNames = ["quota"] },
        new(Resources.PodTemplates),
        new(Resources.PersistentVolumes) { ShortNames = ["pv"], Subresources = ["status"] },
        new(Resources.PersistentVolumeClaims) { ShortNames = ["pvc"], Subresources = ["status"] },
        new(Resources.CSIDrivers), new(Resources.CSINodes), new(Resources.VolumeAttachments) { Subresources = ["status"] },
        Plain("storage.k8s.io", "storageclasses", "StorageClass", false) with { ShortNames = ["sc"] },
        Plain("storage.k8s.io", "csistoragecapacities", "CSIStorageCapacity", true),
        new(Resources.ServiceCIDRs) { Subresources = ["status"] },
        Plain("networking.k8s.io", "ipaddresses", "IPAddress", false) with { ShortNames = ["ip"] },
        Plain("networking.k8s.io", "ingresses", "Ingress", true, "status") with { ShortNames = ["ing"], HasGeneration = true },
        Plain("networking.k8s.io", "ingressclasses", "IngressClass", false) with { HasGeneration = true },
        Plain("networking.k8s.io", "networkpolicies", "NetworkPolicy", true) with { ShortNames = ["netpol"], HasGeneration = true },
        new(Resources.ClusterTrustBundles), new(Resources.PodCertificateRequests) { Subresources = ["status"] },
        new(Resources.ResourceClaims) { Subresources = ["status"] }, new(Resources.ResourceSlices) { SelectableFields = ["spec.nodeName", "spec.driver"] },
        // Kept apart from the core group's: a real server shows the same events in both.
        new(Resources.EventsV1Events) { ShortNames = ["ev"], SelectableFields = ["reason", "regarding.kind", "regarding.name", "regarding.namespace", "reportingController", "type"] },
        Plain("resource.k8s.io", "deviceclasses", "DeviceClass", false) with { HasGeneration = true },
    ];

    public static ResourceDefinition? Find(string group, string version, string plural) =>
        All.FirstOrDefault(d => d.Type.Group == group && d.Type.Version == version && d.Type.Plural == plural);

    public static ResourceDefinition? OfKind(string? apiVersion, string? kind) =>
        All.FirstOrDefault(d => d.Type.ApiVersion == apiVersion && d.Type.Kind == kind);

    private static ResourceDefinition Plain(string group, string plural, string kind, bool namespaced, params string[] subresources) =>
        new(new ResourceType(group, "v1", plural, kind, namespaced)) { Subresources = subresources };

    private static ResourceDefinition Rbac(string plural, string kind, bool namespaced) =>
        Plain("rbac.authorization.k8s.io", plural, kind, namespaced);

    private static ResourceDefinition Workload(string plural, string kind, string shortName, params string[] subresources) =>
        Plain("apps", plural, kind, true, subresources) with { ShortNames = [shortName], Categories = ["all"], HasGeneration = true };
}
