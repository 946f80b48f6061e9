using System.Net;
using NodeAgent.Cri;
using NodeAgent.Kubelet;
using NodeAgent.Kubelet.Admission;
using NodeAgent.Kubelet.Certificates;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Composition;

/// <summary>Turns flags and KubeletConfiguration into the parts' own settings. Pure but for the host's facts it is given.</summary>
internal static class KubeletSettingsReader
{
    private const string RestartAll = "RestartAllContainersOnContainerExits";
    private const string PodLevelResize = "InPlacePodLevelResourcesVerticalScaling";

    /// <exception cref="FormatException">A value cannot be used; names the field.</exception>
    public static KubeletSettings Read(LoadedKubeletConfiguration loaded, HostInformation host, CgroupVersion cgroups, string version)
    {
        (KubeletConfiguration c, KubeletFlags f) = (loaded.Configuration, loaded.Flags);
        string hostname = (f.HostnameOverride.Length > 0 ? f.HostnameOverride : Dns.GetHostName()).Trim().ToLowerInvariant();
        NodeReservations reservations = Reservations(c, host);
        var paths = new KubeletPaths(f.RootDirectory, c.PodLogsDir);
        return new KubeletSettings
        {
            Node = Node(c, f, hostname, reservations, version) with
            {
                DeclaredFeatures = loaded.Gates.IsEnabled("NodeDeclaredFeatures") ? [.. ((string[])[RestartAll, PodLevelResize]).Where(loaded.Gates.IsEnabled)] : [],
            },
            FailSwapOn = c.FailSwapOn,
            OomScoreAdj = c.OomScoreAdj,
            MaxOpenFiles = c.MaxOpenFiles,
            DeadContainers = new DeadContainerPolicy(f.MaximumDeadContainersPerContainer, f.MaximumDeadContainers, f.MinimumContainerTimeToLive),
            Eviction = Eviction(c),
            ImageGarbage = new ImageGarbagePolicy(c.ImageGCHighThresholdPercent, c.ImageGCLowThresholdPercent, c.ImageMinimumGCAge, c.ImageMaximumGCAge),
            LogRotation = new LogRotationPolicy(Quantity.Parse(c.ContainerLogMaxSize).Value(), c.ContainerLogMaxFiles, c.ContainerLogMaxWorkers, c.ContainerLogMonitorInterval),
            Server = Server(c, hostname),
            Paths = paths,
            Cgroups = Cgroups(c, host, reservations),
            CgroupDriver = c.CgroupDriver == "systemd" ? CgroupDriver.Systemd : CgroupDriver.Cgroupfs,
            Runtime = Runtime(c, f, host, cgroups),
            RuntimeEndpoint = CriEndpoint.Parse(c.ContainerRuntimeEndpoint),
            ImageEndpoint = CriEndpoint.Parse(c.EffectiveImageServiceEndpoint, "--image-service-endpoint"),
            CriLimits = new CriTimeLimits(c.RuntimeRequestTimeout),
            Identity = f.Kubeconfig.Length > 0
                ? new NodeIdentitySettings(new TlsBootstrapOptions(f.Kubeconfig, f.BootstrapKubeconfig, f.CertDirectory, hostname), c.RotateCertificates) : null,
            ApiClient = new KubernetesClientOptions { Qps = Math.Max(0, c.KubeAPIQPS), Burst = c.KubeAPIBurst, UserAgent = $"kubelet/{version}" },
            EventClient = new KubernetesClientOptions { Qps = Math.Max(0, c.EventRecordQPS), Burst = c.EventBurst, UserAgent = $"kubelet/{version}" },
            StaticPodPath = c.StaticPodPath.Length > 0 ? c.StaticPodPath : null,
            ImageCredentials = Credentials(f),
            PullVerification = loaded.Gates.IsEnabled("KubeletEnsureSecretPulledImages")
                ? new PullVerification(c.ImagePullCredentialsVerificationPolicy, c.PreloadedImagesVerificationAllowlist) : null,
            StaticPodUrl = c.StaticPodURL.Length == 0 ? null
                : Uri.TryCreate(c.StaticPodURL, UriKind.Absolute, out Uri? url) && url.Scheme is ("http" or "https") ? url
                : throw new FormatException("staticPodURL is no http or https URL"),
            StaticPodUrlHeaders = c.StaticPodURLHeader,
            HttpCheckFrequency = c.HttpCheckFrequency,
            FileCheckFrequency = c.FileCheckFrequency,
            Certificates = new NodeCertificateOptions
            {
                NodeName = hostname,
                Hostname = hostname,
                Folder = f.CertDirectory,
                TlsCertFile = c.TlsCertFile,
                TlsPrivateKeyFile = c.TlsPrivateKeyFile,
                ServerTlsBootstrap = c.ServerTLSBootstrap,
            },
            AdmissionFeatures = new AdmissionFeatures(HasAppArmor(), loaded.Gates.IsEnabled("PodLevelResources")),
            UserNamespaceIdsPerPod = (uint?)c.UserNamespaceIdsPerPod ?? UserNamespaceRange.DefaultPerPod,
            ResizesPodLevel = loaded.Gates.IsEnabled(PodLevelResize),
            AllowedUnsafeSysctls = c.AllowedUnsafeSysctls,
            CpuManagerPolicy = c.CpuManagerPolicy,
            MemoryManagerPolicy = c.MemoryManagerPolicy,
            Objects = new PodObjectStoreOptions
            {
                Detection = c.ConfigMapAndSecretChangeDetectionStrategy switch
                {
                    "Get" => ObjectChangeDetection.Get,
                    "Cache" => ObjectChangeDetection.Cache,
                    _ => ObjectChangeDetection.Watch,
                },
            },
        };
    }

    private static NodeOptions Node(KubeletConfiguration c, KubeletFlags f, string hostname, NodeReservations reservations, string version) => new()
    {
        NodeName = hostname,
        Hostname = hostname,
        KubeletVersion = version,
        RootDirectory = f.RootDirectory,
        RegisterNode = c.RegisterNode,
        NodeIPs = [.. f.NodeIP.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ParseNodeIP)],
        Labels = f.NodeLabels,
        Taints = c.RegisterWithTaints,
        ProviderId = c.ProviderID,
        ExternalCloud = f.CloudProvider == "external",
        ControllerAttachDetach = c.EnableControllerAttachDetach,
        Port = c.Port,
        MaxPods = c.MaxPods,
        PodsPerCore = c.PodsPerCore,
        MaxImages = c.NodeStatusMaxImages,
        LocalStorageCapacity = c.LocalStorageCapacityIsolation,
        UpdateFrequency = c.NodeStatusUpdateFrequency,
        ReportFrequency = c.NodeStatusReportFrequency,
        LeaseDuration = TimeSpan.FromSeconds(c.NodeLeaseDurationSeconds),
        Reservations = reservations,
        EvictionHard = c.EvictionHard ?? EvictionThresholds.Default,
    };

    private static EvictionSettings Eviction(KubeletConfiguration c) => new()
    {
        Hard = c.EvictionHard ?? EvictionThresholds.Default,
        Soft = c.EvictionSoft,
        SoftGrace = c.EvictionSoftGracePeriod.ToDictionary(
            g => g.Key, g => GoDuration.TryParse(g.Value, out TimeSpan grace) ? grace : throw new FormatException($"evictionSoftGracePeriod[{g.Key}]: \"{g.Value}\" is no duration")),
        MinimumReclaim = c.EvictionMinimumReclaim,
        LongestPodGrace = TimeSpan.FromSeconds(c.EvictionMaxPodGracePeriod),
        TransitionPeriod = c.EvictionPressureTransitionPeriod,
        PodsAreLimited = c.EnforceNodeAllocatable.Contains("pods"),
        LocalStorageLimits = c.LocalStorageCapacityIsolation,
    };

    private static IPAddress ParseNodeIP(string text) =>
        IPAddress.TryParse(text, out IPAddress? ip) ? ip : throw new FormatException($"--node-ip: \"{text}\" is not an IP address");

    private static NodeReservations Reservations(KubeletConfiguration c, HostInformation host)
    {
        IReadOnlyDictionary<string, string> hard = c.EvictionHard ?? EvictionThresholds.Default;
        var eviction = new Dictionary<string, Quantity>();
        foreach (EvictionThreshold threshold in EvictionThresholds.Parse(hard))
        {
            if (threshold.Signal == "memory.available")
            {
                eviction["memory"] = Quantity.FromValue(threshold.Of(host.Memory().Total));
            }
        }

        return new NodeReservations(Quantities(c.SystemReserved, "systemReserved"), Quantities(c.KubeReserved, "kubeReserved"), eviction);
    }

    private static Dictionary<string, Quantity> Quantities(IReadOnlyDictionary<string, string> texts, string field) =>
        texts.ToDictionary(t => t.Key, t => Quantity.TryParse(t.Value, out Quantity q) ? q : throw new FormatException($"{field}[{t.Key}]: \"{t.Value}\" is not a quantity"));

    private static KubeletServerOptions Server(KubeletConfiguration c, string node) => new()
    {
        NodeName = node,
        Address = IPAddress.Parse(c.Address),
        Port = c.Port,
        ReadOnlyPort = c.ReadOnlyPort,
        HealthzPort = c.HealthzPort,
        HealthzAddress = IPAddress.Parse(c.HealthzBindAddress),
        Protocols = KubeletServerOptions.ParseMinimumVersion(c.TlsMinVersion),
        CipherSuites = KubeletServerOptions.ParseCipherSuites(c.TlsCipherSuites),
        ClientCAFile = c.ClientCAFile,
        TokenReview = c.WebhookEnabled,
        TokenReviewCache = c.WebhookCacheTTL,
        Anonymous = c.AnonymousEnabled,
        Authorization = c.AuthorizationMode == "AlwaysAllow" ? AuthorizationMode.AlwaysAllow : AuthorizationMode.Webhook,
        AuthorizedCache = c.AuthorizationCacheAuthorizedTTL,
        UnauthorizedCache = c.AuthorizationCacheUnauthorizedTTL,
        Enabled = c.EnableServer,
        DebuggingHandlers = c.EnableDebuggingHandlers,
        SystemLogHandler = c.EnableSystemLogHandler,
        SystemLogQuery = c.EnableSystemLogQuery,
    };

    private static CgroupOptions Cgroups(KubeletConfiguration c, HostInformation host, NodeReservations reservations) => new()
    {
        CgroupRoot = c.CgroupRoot,
        CgroupsPerQos = c.CgroupsPerQOS,
        CpuCfsQuota = c.CpuCFSQuota,
        CpuCfsQuotaPeriod = (long)c.CpuCFSQuotaPeriod.TotalMicroseconds,
        PodPidsLimit = c.PodPidsLimit,
        EnforceNodeAllocatable = c.EnforceNodeAllocatable,
        SystemReservedCgroup = c.SystemReservedCgroup,
        KubeReservedCgroup = c.KubeReservedCgroup,
        Reservations = reservations,
        FailCgroupV1 = c.FailCgroupV1,
        HugePageSizes = [.. host.HugePages().Keys],
    };

    private static bool HasAppArmor()
    {
        const string Enabled = "/sys/module/apparmor/parameters/enabled";
        return Directory.Exists("/sys/kernel/security/apparmor") && File.Exists(Enabled) && File.ReadAllText(Enabled).StartsWith('Y');
    }

    private static ImageCredentialOptions Credentials(KubeletFlags f)
    {
        bool configured = f.ImageCredentialProviderConfig.Length > 0;
        if (configured != f.ImageCredentialProviderBinDirectory.Length > 0)
        {
            throw new FormatException("--image-credential-provider-config and --image-credential-provider-bin-dir belong together; give both or none");
        }

        return new ImageCredentialOptions(f.RootDirectory, Environment.GetEnvironmentVariable("HOME"))
        {
            Providers = configured ? CredentialProviderConfig.Load(f.ImageCredentialProviderConfig, f.ImageCredentialProviderBinDirectory) : [],
            BinFolder = f.ImageCredentialProviderBinDirectory,
        };
    }

    private static RuntimeManagerOptions Runtime(KubeletConfiguration c, KubeletFlags f, HostInformation host, CgroupVersion cgroups) => new(
        new ContainerConfigOptions(
            new ContainerLimitsOptions(
                host.Memory().Total, c.CpuCFSQuota, (long)c.CpuCFSQuotaPeriod.TotalMicroseconds, cgroups == CgroupVersion.V2,
                c.SingleProcessOOMKill ?? cgroups == CgroupVersion.V1, [.. host.HugePages().Keys])
            {
                Swap = SwapAccounting.Available(cgroups) ? new SwapOptions(c.SwapBehavior == "LimitedSwap", host.Memory().SwapTotal) : null,
            },
            new DnsOptions(c.ClusterDNS, c.ClusterDomain, c.ResolvConf),
            Path.Combine(f.RootDirectory, "seccomp"),
            c.SeccompDefault),
        new ImageOptions(c.SerializeImagePulls ? 1 : c.MaxParallelImagePulls) { PullsPerSecond = c.RegistryPullQPS, Burst = c.RegistryBurst },
        c.MaxContainerRestartPeriod ?? TimeSpan.FromMinutes(5));
}
