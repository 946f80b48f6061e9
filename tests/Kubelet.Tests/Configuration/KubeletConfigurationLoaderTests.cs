using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Tests.Configuration;

public sealed class KubeletConfigurationLoaderTests : IDisposable
{
    private const string Head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Without_a_file_the_legacy_defaults_hold_and_there_are_no_hard_thresholds()
    {
        LoadedKubeletConfiguration loaded = Load();
        Assert.True(loaded.IsUsable, string.Join('\n', loaded.Problems));
        Assert.True(loaded.Configuration.AnonymousEnabled);
        Assert.False(loaded.Configuration.WebhookEnabled);
        Assert.Equal("AlwaysAllow", loaded.Configuration.AuthorizationMode);
        Assert.Equal(10255, loaded.Configuration.ReadOnlyPort);
        Assert.Null(loaded.Configuration.EvictionHard);
    }

    [Fact]
    public void An_empty_file_gives_the_secure_defaults_and_Linux_thresholds_without_a_warning()
    {
        LoadedKubeletConfiguration loaded = Load($"--config={folder.Write("c.yaml", Head)}");
        Assert.Empty(loaded.Problems);
        Assert.False(loaded.Configuration.AnonymousEnabled);
        Assert.Equal("Webhook", loaded.Configuration.AuthorizationMode);
        Assert.Equal(0, loaded.Configuration.ReadOnlyPort);
        Assert.Equal("10%", loaded.Configuration.EvictionHard!["nodefs.available"]);
        Assert.Equal(5, loaded.Configuration.EvictionHard!.Count);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_the_only_thing_complained_of()
    {
        LoadedKubeletConfiguration loaded = Load($"--config={folder.Path}/absent.yaml");
        Assert.False(loaded.IsUsable);
        Assert.Contains("absent.yaml", Assert.Single(loaded.Problems).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Flags_win_over_drop_ins_which_win_over_the_file()
    {
        string file = folder.Write("c.yaml", Head + "maxPods: 10\npodsPerCore: 1\neventBurst: 7\n");
        folder.Write("d/10-a.conf", Head + "maxPods: 20\npodsPerCore: 2\n");
        folder.Write("d/20/x.conf", Head + "podsPerCore: 3\n");
        folder.Write("d/30.yaml", Head + "eventBurst: 99\n");
        KubeletConfiguration configuration = Usable($"--config={file}", $"--config-dir={folder.Path}/d", "--max-pods=30");
        Assert.Equal(30, configuration.MaxPods);
        Assert.Equal(3, configuration.PodsPerCore);
        Assert.Equal(7, configuration.EventBurst);
    }

    [Fact]
    public void Drop_ins_merge_maps_replace_lists_and_delete_by_null()
    {
        string file = folder.Write("c.yaml", Head + "systemReserved: {cpu: 100m, memory: 1Gi}\nclusterDNS: [10.0.0.1, 10.0.0.2]\nmaxPods: 5\n");
        folder.Write("d/a.conf", Head + "systemReserved: {memory: 2Gi, cpu: null}\nclusterDNS: [10.0.0.3]\nmaxPods: null\n");
        KubeletConfiguration configuration = Usable($"--config={file}", $"--config-dir={folder.Path}/d");
        Assert.Equal(["memory=2Gi"], configuration.SystemReserved.Select(p => $"{p.Key}={p.Value}"));
        Assert.Equal(["10.0.0.3"], configuration.ClusterDNS);
        Assert.Equal(110, configuration.MaxPods);
    }

    [Fact]
    public void Feature_gates_of_flags_and_file_are_merged_and_the_flag_wins()
    {
        string file = folder.Write("c.yaml", Head + "featureGates: {EventedPLEG: true, MemoryQoS: true}\n");
        LoadedKubeletConfiguration loaded = Load($"--config={file}", "--feature-gates=MemoryQoS=false,QOSReserved=true");
        Assert.True(loaded.IsUsable, string.Join('\n', loaded.Problems));
        Assert.True(loaded.Gates.IsEnabled("EventedPLEG"));
        Assert.False(loaded.Gates.IsEnabled("MemoryQoS"));
        Assert.True(loaded.Gates.IsEnabled("QOSReserved"));
    }

    [Theory]
    [InlineData("maxPods: \"110\"", "maxPods")]
    [InlineData("syncFrequency: 60", "syncFrequency")]
    [InlineData("authentication: true", "authentication")]
    [InlineData("authentication: {anonymous: {enabled: \"no\"}}", "authentication.anonymous.enabled")]
    [InlineData("clusterDNS: 10.0.0.10", "clusterDNS")]
    [InlineData("evictionHard: {memory.available: 5}", "evictionHard")]
    [InlineData("maxPods: 1.5", "maxPods")]
    [InlineData("port: 99999999999", "port")]
    public void A_wrong_type_is_fatal_and_names_file_and_field(string text, string path)
    {
        string file = folder.Write("c.yaml", Head + text + "\n");
        LoadedKubeletConfiguration loaded = Load($"--config={file}");
        Assert.False(loaded.IsUsable);
        ConfigurationProblem problem = Assert.Single(loaded.Problems, p => p.Kind == ConfigurationProblemKind.Invalid);
        Assert.Equal((file, path), (problem.Source, problem.Path));
        Assert.NotEmpty(problem.Remedy);
    }

    [Theory]
    [InlineData("maxPodz: 5", "maxPodz", ConfigurationProblemKind.UnknownField)]
    [InlineData("authentication: {webhook: {active: true}}", "authentication.webhook.active", ConfigurationProblemKind.UnknownField)]
    [InlineData("MaxPods: 5", "MaxPods", ConfigurationProblemKind.UnknownField)]
    [InlineData("maxPods: 5\nmaxPods: 6", "maxPods", ConfigurationProblemKind.DuplicateField)]
    public void Unknown_and_duplicate_fields_are_told_and_fatal_only_when_strict(string text, string path, ConfigurationProblemKind kind)
    {
        string file = folder.Write("c.yaml", Head + text + "\n");
        LoadedKubeletConfiguration loaded = Load($"--config={file}");
        ConfigurationProblem problem = Assert.Single(loaded.Problems);
        Assert.Equal((kind, path), (problem.Kind, problem.Path));
        Assert.True(loaded.IsUsable);
        Assert.False(Load($"--config={file}", "--strict-config").IsUsable);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("kind: KubeletConfiguration\napiVersion: v1\n")]
    [InlineData("[]")]
    [InlineData("a: [")]
    public void A_file_that_is_no_kubelet_configuration_is_refused(string text)
    {
        LoadedKubeletConfiguration loaded = Load($"--config={folder.Write("c.yaml", text)}");
        Assert.False(loaded.IsUsable);
    }

    [Fact]
    public void JSON_is_read_like_YAML()
    {
        string file = folder.Write("c.json", """{"apiVersion":"kubelet.config.k8s.io/v1beta1","kind":"KubeletConfiguration","maxPods":7,"port":10300}""");
        KubeletConfiguration configuration = Usable($"--config={file}");
        Assert.Equal((7, 10300), (configuration.MaxPods, configuration.Port));
    }

    [Fact]
    public void Paths_in_a_file_are_relative_to_it()
    {
        string file = folder.Write("sub/c.yaml", Head + "staticPodPath: manifests\nauthentication: {x509: {clientCAFile: ../ca.crt}}\n");
        KubeletConfiguration configuration = Usable($"--config={file}");
        Assert.Equal(Path.Combine(folder.Path, "sub/manifests"), configuration.StaticPodPath);
        Assert.Equal(Path.Combine(folder.Path, "ca.crt"), configuration.ClientCAFile);
    }

    [Fact]
    public void Zero_means_default_for_plain_fields_and_zero_for_pointers()
    {
        string file = folder.Write("c.yaml", Head + "maxPods: 0\nsyncFrequency: 0s\naddress: \"\"\nhealthzPort: 0\nregistryPullQPS: 0\nresolvConf: \"\"\n");
        KubeletConfiguration configuration = Usable($"--config={file}");
        Assert.Equal((110, TimeSpan.FromMinutes(1), "0.0.0.0"), (configuration.MaxPods, configuration.SyncFrequency, configuration.Address));
        Assert.Equal((0, 0, ""), (configuration.HealthzPort, configuration.RegistryPullQPS, configuration.ResolvConf));
    }

    [Theory]
    [InlineData("", 10, 300)]
    [InlineData("nodeStatusUpdateFrequency: 20s", 20, 20)]
    [InlineData("nodeStatusUpdateFrequency: 20s\nnodeStatusReportFrequency: 1m", 20, 60)]
    [InlineData("nodeStatusUpdateFrequency: 0s\nnodeStatusReportFrequency: 0s", 10, 300)]
    public void The_report_frequency_follows_the_update_frequency_when_only_that_is_set(string text, int update, int report)
    {
        KubeletConfiguration configuration = Usable($"--config={folder.Write("c.yaml", Head + text + "\n")}");
        Assert.Equal((update, report), ((int)configuration.NodeStatusUpdateFrequency.TotalSeconds, (int)configuration.NodeStatusReportFrequency.TotalSeconds));
    }

    [Theory]
    [InlineData("maxParallelImagePulls: 1", true)]
    [InlineData("maxParallelImagePulls: 2", false)]
    public void Parallel_pulls_turn_serial_pulls_off(string text, bool serial) =>
        Assert.Equal(serial, Usable($"--config={folder.Write("c.yaml", Head + text + "\n")}").SerializeImagePulls);

    [Fact]
    public void Given_thresholds_are_completed_only_on_demand()
    {
        string partial = Head + "evictionHard: {memory.available: 200Mi}\n";
        Assert.Single(Usable($"--config={folder.Write("a.yaml", partial)}").EvictionHard!);
        KubeletConfiguration merged = Usable($"--config={folder.Write("b.yaml", partial + "mergeDefaultEvictionSettings: true\n")}");
        Assert.Equal((5, "200Mi"), (merged.EvictionHard!.Count, merged.EvictionHard["memory.available"]));
    }

    [Fact]
    public void Reserved_cpus_stand_for_the_cpu_part_of_both_reservations()
    {
        string file = folder.Write("c.yaml", Head + "reservedSystemCPUs: 0-1,4\nkubeReserved: {cpu: 1, memory: 1Gi}\n".Replace("cpu: 1,", "cpu: \"1\",", StringComparison.Ordinal));
        KubeletConfiguration configuration = Usable($"--config={file}");
        Assert.Equal("3", configuration.SystemReserved["cpu"]);
        Assert.Equal(["memory"], configuration.KubeReserved.Keys);
    }

    [Fact]
    public void Seccomp_default_is_on_when_flag_or_file_say_so()
    {
        Assert.True(Usable("--seccomp-default").SeccompDefault);
        Assert.True(Usable($"--config={folder.Write("c.yaml", Head + "seccompDefault: true\n")}", "--seccomp-default=false").SeccompDefault);
    }

    [Fact]
    public void What_kubeadm_writes_is_taken_without_error_and_without_warning()
    {
        string file = folder.Write("config.yaml", Head + """
            authentication:
              anonymous:
                enabled: false
              webhook:
                cacheTTL: 0s
                enabled: true
              x509:
                clientCAFile: /etc/kubernetes/pki/ca.crt
            authorization:
              mode: Webhook
              webhook:
                cacheAuthorizedTTL: 0s
                cacheUnauthorizedTTL: 0s
            cgroupDriver: systemd
            clusterDNS:
            - 10.96.0.10
            clusterDomain: cluster.local
            containerRuntimeEndpoint: ""
            cpuManagerReconcilePeriod: 0s
            crashLoopBackOff: {}
            evictionPressureTransitionPeriod: 0s
            fileCheckFrequency: 0s
            healthzBindAddress: 127.0.0.1
            healthzPort: 10248
            httpCheckFrequency: 0s
            imageMaximumGCAge: 0s
            imageMinimumGCAge: 0s
            logging:
              flushFrequency: 0
              options:
                json:
                  infoBufferSize: "0"
                text:
                  infoBufferSize: "0"
              verbosity: 0
            memorySwap: {}
            nodeStatusReportFrequency: 0s
            nodeStatusUpdateFrequency: 0s
            resolvConf: /run/systemd/resolve/resolv.conf
            rotateCertificates: true
            runtimeRequestTimeout: 0s
            shutdownGracePeriod: 0s
            shutdownGracePeriodCriticalPods: 0s
            staticPodPath: /etc/kubernetes/manifests
            streamingConnectionIdleTimeout: 0s
            syncFrequency: 0s
            volumeStatsAggPeriod: 0s
            """);
        LoadedKubeletConfiguration loaded = Load("--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf", "--kubeconfig=/etc/kubernetes/kubelet.conf",
            $"--config={file}", "--node-ip=172.18.0.2");
        Assert.Empty(loaded.Problems);
        Assert.Equal(TimeSpan.FromMinutes(5), loaded.Configuration.NodeStatusReportFrequency);
        Assert.Equal("unix:///run/containerd/containerd.sock", loaded.Configuration.EffectiveImageServiceEndpoint);
    }

    [Fact]
    public void What_kind_passes_is_taken()
    {
        string file = folder.Write("config.yaml", Head + """
            cgroupRoot: /kubelet
            failSwapOn: false
            imageGCHighThresholdPercent: 100
            evictionHard:
              imagefs.available: 0%
              nodefs.available: 0%
              nodefs.inodesFree: 0%
            """);
        LoadedKubeletConfiguration loaded = Load($"--config={file}", "--runtime-cgroups=/system.slice/containerd.service", "--node-ip=172.18.0.2",
            "--provider-id=kind://docker/kind/kind-control-plane", "--node-labels=", "--container-runtime-endpoint=unix:///run/containerd/containerd.sock");
        Assert.True(loaded.IsUsable, string.Join('\n', loaded.Problems));
        Assert.Empty(loaded.Flags.NodeLabels);
        Assert.Equal("kind://docker/kind/kind-control-plane", loaded.Configuration.ProviderID);
    }

    [Fact]
    public void A_known_field_without_effect_is_named_when_it_is_set_away_from_its_default()
    {
        LoadedKubeletConfiguration loaded = Load($"--config={folder.Write("c.yaml", Head + "cpuManagerPolicy: static\ntopologyManagerPolicy: none\n")}");
        ConfigurationProblem problem = Assert.Single(loaded.Problems);
        Assert.Equal((ConfigurationProblemKind.NoEffect, "cpuManagerPolicy"), (problem.Kind, problem.Path));
    }

    [Fact]
    public void A_configuration_written_and_read_again_is_the_same()
    {
        ConfigurationTable<KubeletConfiguration> table = KubeletConfigurationTable.Fields;
        KubeletConfiguration given = Usable("--max-pods=7", "--cluster-dns=10.0.0.1,10.0.0.2", "--register-with-taints=a=b:NoSchedule,c:NoExecute",
            "--eviction-hard=memory.available<5%", "--reserved-memory=0:memory=1Gi", "--sync-frequency=90s", "--v=3", "--vmodule=Pod*=5",
            "--manifest-url-header=a:1,a:2", "--feature-gates=EventedPLEG=true");
        string once = table.Encode(given).ToJsonString();
        ConfigurationResult<KubeletConfiguration> read = table.Decode(table.Encode(given), "again");
        Assert.Empty(read.Problems);
        Assert.Equal(once, table.Encode(read.Value).ToJsonString());
        Assert.Contains("\"maxPods\":7", once, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--node-labels=kubernetes.io/role=x", false)]
    [InlineData("--node-labels=a.node.kubernetes.io/role=x,topology.kubernetes.io/zone=z,mine=y", true)]
    [InlineData("--cloud-provider=aws", false)]
    [InlineData("--cloud-provider=external", true)]
    [InlineData("--exit-on-lock-contention", false)]
    public void Flags_of_the_process_are_checked(string flag, bool usable) => Assert.Equal(usable, Load(flag).IsUsable);

    private KubeletConfiguration Usable(params string[] arguments)
    {
        LoadedKubeletConfiguration loaded = Load(arguments);
        Assert.True(loaded.IsUsable, string.Join('\n', loaded.Problems));
        return loaded.Configuration;
    }

    private static LoadedKubeletConfiguration Load(params string[] arguments) =>
        KubeletConfigurationLoader.Load(KubeletFlagTable.Flags.Parse(arguments), hostHasCgroupV1: false);
}
