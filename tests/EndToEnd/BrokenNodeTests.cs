using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using NodeAgent.Harness;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

/// <summary>What an operator can break on a node: each is told clearly, what runs goes on, and mended it is well again.</summary>
[Collection(NodeCollection.Name)]
public sealed class BrokenNodeTests(ClusterFixture fixture)
{
    private const string OneSecond = "\"terminationGracePeriodSeconds\":1";

    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task A_kubeconfig_that_cannot_be_used_ends_the_start_naming_file_and_remedy()
    {
        string kubeconfig = Path.Combine(Cluster.Options.Folder, "broken.conf");
        foreach ((string text, string told) in new[]
        {
            ("{ this is: [no yaml", "broken.conf"),
            ("apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n", "broken.conf"),
            ("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: gone, user: u}}]\nclusters: []\nusers: [{name: u, user: {}}]\n", "gone"),
            ("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
                + "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: /nowhere/ca.crt}}]\nusers: [{name: u, user: {}}]\n", "/nowhere/ca.crt"),
        })
        {
            await File.WriteAllTextAsync(kubeconfig, text);
            ToolAnswer answer = await StartOnceAsync("--kubeconfig", kubeconfig);
            Assert.Equal(1, answer.ExitCode);
            Assert.Contains(told, answer.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at NodeAgent.", answer.Error, StringComparison.Ordinal);
        }
        File.Delete(kubeconfig);
        ToolAnswer absent = await StartOnceAsync("--kubeconfig", kubeconfig);
        Assert.Equal(1, absent.ExitCode);
        Assert.Contains(kubeconfig, absent.Error, StringComparison.Ordinal);
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(10));
    }

    [NodeFact]
    public async Task An_expired_certificate_is_told_and_pods_go_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "expired");
        string id = await RunningAsync(pods);
        await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
        await RestartedAsync("expired", async () =>
        {
            await Until.NothingMissesAsync("the log tells of the expired certificate", TimeSpan.FromSeconds(60), async () =>
                (await LogAsync()).Contains("expired on", StringComparison.Ordinal) ? null : "it does not");
            await StaticPodRunsAsync("beside-expired");
        }, "--kubeconfig", ExpiredKubeconfig());
        await SameContainerAsync(pods, id);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task An_API_server_out_of_reach_at_the_start_is_told_and_pods_go_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "unreachable");
        string id = await RunningAsync(pods);
        await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
        await Cluster.Control.KillApiServerAsync();
        try
        {
            Cluster.Node.StartKubelet();
            await Until.NothingMissesAsync("the log names the API server", TimeSpan.FromSeconds(60), async () =>
                (await LogAsync()).Contains(Cluster.Client.Configuration.Server.Authority, StringComparison.Ordinal) ? null : "it does not");
            await StaticPodRunsAsync("beside-unreachable");
        }
        finally
        {
            await Cluster.Control.StartApiServerAsync();
        }
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
        await SameContainerAsync(pods, id);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task Without_network_configuration_the_node_says_so_and_pods_go_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "nonet");
        string id = await RunningAsync(pods);
        Cluster.Runtime.Network(present: false);
        try
        {
            await Cluster.NodeIsAsync(ready: false, TimeSpan.FromSeconds(60));
            NodeCondition ready = (await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName)).Status!.Conditions.Single(condition => condition.Type == "Ready");
            Assert.Equal("KubeletNotReady", ready.Reason);
            Assert.Contains("NetworkReady=false", ready.Message, StringComparison.Ordinal);
            string node = $"\"nodeName\":\"{Cluster.Options.NodeName}\",{OneSecond}";
            await pods.PodAsync("waits", Workloads.Shell("sleep 3600"), node);
            await Until.NothingMissesAsync("an event tells why", TimeSpan.FromSeconds(30), async () =>
                (await pods.EventsAsync("waits")).Any(text => text.StartsWith("NetworkNotReady", StringComparison.Ordinal)) ? null : string.Join("; ", await pods.EventsAsync("waits")));
            await pods.PodAsync("hostly", Workloads.Shell("sleep 3600"), node + ",\"hostNetwork\":true");
            await pods.ReadyAsync("hostly");
        }
        finally
        {
            Cluster.Runtime.Network(present: true);
        }
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
        await pods.ReadyAsync("waits");
        await SameContainerAsync(pods, id);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_full_disk_below_the_state_folder_is_told_and_pods_go_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "full");
        string small = Path.Combine(Cluster.Options.Folder, "small");
        Directory.CreateDirectory(small);
        await Tool.MustAsync("mount", "-t", "tmpfs", "-o", "size=4m", "small", small);
        await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
        try
        {
            await RestartedAsync("full", async () =>
            {
                string id = await RunningAsync(pods);
                Fill(Path.Combine(small, "filler"));
                string node = $"\"nodeName\":\"{Cluster.Options.NodeName}\",{OneSecond}";
                await pods.PostAsync("/api/v1/namespaces/full/configmaps", """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"b"} }""");
                await pods.PodAsync("late", Workloads.Shell("sleep 3600", more: "\"volumeMounts\":[{\"name\":\"c\",\"mountPath\":\"/c\"}]"), node + ",\"volumes\":[{\"name\":\"c\",\"configMap\":{\"name\":\"c\"}}]");
                await Until.NothingMissesAsync("the pod tells of the disk", TimeSpan.FromSeconds(60), async () =>
                    TellsOfDisk(await pods.GetPodAsync("late"), await pods.EventsAsync("late")) ? null
                        : Workloads.Describe(await pods.GetPodAsync("late")) + " " + string.Join("; ", await pods.EventsAsync("late")));
                await Until.NothingMissesAsync("the node is under disk pressure", TimeSpan.FromSeconds(40), async () =>
                    (await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName)).Status!.Conditions.Single(condition => condition.Type == "DiskPressure") is { Status: "True" } ? null : "it is not");
                await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(10));
                await SameContainerAsync(pods, id);
                File.Delete(Path.Combine(small, "filler"));
                await pods.DeletePodAsync("late");
                await pods.DeletePodAsync("steady");
                await pods.GoneAsync("late", TimeSpan.FromSeconds(60));
                await pods.GoneAsync("steady", TimeSpan.FromSeconds(60));
            }, ["--root-dir", small, .. NoEvictionForDisk]);
        }
        finally
        {
            await Tool.RunAsync("umount", ["-l", small]);
        }
        await Until.NothingMissesAsync("the pressure is over", TimeSpan.FromSeconds(40), async () =>
            (await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName)) is var node && node.Status!.Conditions.Single(condition => condition.Type == "DiskPressure").Status == "False"
                && node.Spec!.Taints.Count == 0 ? null : $"{node.Spec!.Taints.Count} taints");
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task The_pod_that_fills_the_disk_is_evicted_and_others_go_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "evict");
        string small = Path.Combine(Cluster.Options.Folder, "small-evict");
        Directory.CreateDirectory(small);
        await Tool.MustAsync("mount", "-t", "tmpfs", "-o", "size=32m", "small", small);
        await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
        try
        {
            await RestartedAsync("evict", async () =>
            {
                string id = await RunningAsync(pods);
                await pods.PodAsync("eater", Workloads.Shell("dd if=/dev/zero of=/eaten/all bs=1M count=30; sleep 3600", more: "\"volumeMounts\":[{\"name\":\"eaten\",\"mountPath\":\"/eaten\"}]"),
                    OneSecond + ",\"volumes\":[{\"name\":\"eaten\",\"emptyDir\":{}}]");
                Pod eater = await pods.PhaseAsync("eater", "Failed", TimeSpan.FromSeconds(90));
                Assert.Equal("Evicted", eater.Status.Reason);
                Assert.Contains("The node was low on resource: ephemeral-storage", eater.Status.Message, StringComparison.Ordinal);
                Assert.Contains(await pods.EventsAsync("eater"), text => text.StartsWith("Evicted: ", StringComparison.Ordinal));
                Assert.Contains(eater.Status.Conditions, condition => condition is { Type: "DisruptionTarget", Status: "True", Reason: "TerminationByKubelet" });
                await SameContainerAsync(pods, id);
                await pods.DeletePodAsync("eater");
                await pods.DeletePodAsync("steady");
                await pods.GoneAsync("eater", TimeSpan.FromSeconds(60));
                await pods.GoneAsync("steady", TimeSpan.FromSeconds(60));
            }, "--root-dir", small, "--eviction-hard", "nodefs.available<20%", "--eviction-pressure-transition-period", "1s");
        }
        finally
        {
            await Tool.RunAsync("umount", ["-l", small]);
        }

        await Until.NothingMissesAsync("the pressure is over", TimeSpan.FromSeconds(40), async () =>
            (await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName)) is var node && node.Status!.Conditions.Single(condition => condition.Type == "DiskPressure").Status == "False"
                && node.Spec!.Taints.Count == 0 ? null : $"{node.Spec!.Taints.Count} taints");
        await pods.DeleteAsync();
    }

    // A hard threshold would have the node evict its pods, as it should: with a soft one there is time to mend it.
    private static string[] NoEvictionForDisk =>
        ["--eviction-hard", "memory.available<100Mi", "--eviction-soft", "nodefs.available<1%", "--eviction-soft-grace-period", "nodefs.available=1h"];

    private static bool TellsOfDisk(Pod pod, IReadOnlyList<string> events) =>
        pod.Status.Message?.Contains("DiskPressure", StringComparison.Ordinal) == true
        || events.Any(text => text.Contains("No space left on device", StringComparison.Ordinal));

    private static void Fill(string path)
    {
        using FileStream file = File.Create(path);
        byte[] block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // That is what was wanted.
        }
    }

    private Task<ToolAnswer> StartOnceAsync(params string[] more) => Tool.RunAsync(Requirements.AgentProgram,
        ["kubelet", "--config", Path.Combine(Cluster.Options.Folder, "kubelet.yaml"), "--cert-dir", Path.Combine(Cluster.Options.Folder, "once-pki"), "--root-dir", Path.Combine(Cluster.Options.Folder, "once"), .. more],
        limit: TimeSpan.FromSeconds(20));

    // With other flags for a while, then as ever.
    private async Task RestartedAsync(string what, Func<Task> body, params string[] flags)
    {
        Cluster.Node.StartKubelet(flags);
        try
        {
            await body();
        }
        finally
        {
            await Cluster.Node.KubeletProcess.StopAsync(TimeSpan.FromSeconds(30));
            Cluster.Node.StartKubelet();
        }
        await Cluster.NodeIsAsync(ready: true, TimeSpan.FromSeconds(60));
        Console.WriteLine($"[end-to-end] {what}: well again");
    }

    private static async Task<string> RunningAsync(Workloads pods)
    {
        await pods.PodAsync("steady", Workloads.Shell("sleep 3600"), OneSecond);
        return (await pods.ReadyAsync("steady")).Status.ContainerStatuses.Single().ContainerID!;
    }

    private static async Task SameContainerAsync(Workloads pods, string id)
    {
        ContainerStatus now = (await pods.ReadyAsync("steady")).Status.ContainerStatuses.Single();
        Assert.Equal((id, 0), (now.ContainerID, now.RestartCount));
    }

    private async Task StaticPodRunsAsync(string name)
    {
        string manifest = Path.Combine(Cluster.Node.ManifestFolder, name + ".yaml");
        await File.WriteAllTextAsync(manifest, $"{{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{{\"name\":\"{name}\"}},\"spec\":{{{OneSecond},\"containers\":[{Workloads.Shell("sleep 3600")}]}}}}");
        try
        {
            await Until.NothingMissesAsync($"static pod {name} runs", TimeSpan.FromSeconds(60), async () =>
                (await Cluster.Runtime.Runtime.ListContainersAsync(new Cri.V1.ListContainersRequest(), default)).Containers.Any(container =>
                    container.State == Cri.V1.ContainerState.ContainerRunning && container.Labels["io.kubernetes.pod.name"].StartsWith(name, StringComparison.Ordinal)) ? null : "it does not");
        }
        finally
        {
            File.Delete(manifest);
        }
    }

    private Task<string> LogAsync() => File.ReadAllTextAsync(Cluster.Node.KubeletProcess.Log);

    private string ExpiredKubeconfig()
    {
        string pki = Path.GetDirectoryName(Cluster.Control.ClientAuthority)!;
        using X509Certificate2 authority = X509Certificate2.CreateFromPemFile(Path.Combine(pki, "ca.crt"), Path.Combine(pki, "ca.key"));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        X500DistinguishedNameBuilder subject = new();
        subject.AddOrganizationName("system:nodes");
        subject.AddCommonName($"system:node:{Cluster.Options.NodeName}");
        CertificateRequest request = new(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 expired = request.Create(authority, now.AddMinutes(-50), now.AddMinutes(-10), RandomNumberGenerator.GetBytes(12));
        string path = Path.Combine(pki, "expired.conf");
        File.WriteAllText(path, $"""
            apiVersion: v1
            kind: Config
            current-context: c
            clusters: [{"{"}name: c, cluster: {"{"}server: "{Cluster.Client.Configuration.Server}", certificate-authority: {pki}/ca.crt{"}}"}]
            users: [{"{"}name: u, user: {"{"}client-certificate-data: {Base64(expired.ExportCertificatePem())}, client-key-data: {Base64(key.ExportECPrivateKeyPem())}{"}}"}]
            contexts: [{"{"}name: c, context: {"{"}cluster: c, user: u{"}}"}]
            """);
        return path;

        static string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(text));
    }
}
