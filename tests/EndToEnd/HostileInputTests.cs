using System.Text;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

[Collection(NodeCollection.Name)]
public sealed class HostileInputTests(ClusterFixture fixture)
{
    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task An_impossible_image_name_is_told_and_other_pods_go_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "badimage");
        await pods.PodAsync("bad", """{"name":"main","image":"UPPER CASE:::"}""");
        Pod pod = await pods.PodIsAsync("bad", "InvalidImageName", TimeSpan.FromSeconds(40), pod => Waiting(pod) == "InvalidImageName");
        Assert.Contains("UPPER CASE", pod.Status.ContainerStatuses.Single().State!.Waiting!.Message, StringComparison.Ordinal);
        await StillServesAsync(pods);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_missing_image_that_may_not_be_pulled_is_told()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "noimage");
        await pods.PodAsync("never", """{"name":"main","image":"node-agent.test/absent:1","imagePullPolicy":"Never"}""");
        await pods.PodIsAsync("never", "ErrImageNeverPull", TimeSpan.FromSeconds(40), pod => Waiting(pod) == "ErrImageNeverPull");
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_missing_ConfigMap_holds_the_pod_and_its_arrival_frees_it()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "late");
        await pods.PodAsync("waits", Workloads.Shell("echo $WORD; sleep 3600", more: "\"env\":[{\"name\":\"WORD\",\"valueFrom\":{\"configMapKeyRef\":{\"name\":\"words\",\"key\":\"a..b\"}}}]"),
            "\"terminationGracePeriodSeconds\":1");
        await pods.PodIsAsync("waits", "CreateContainerConfigError", TimeSpan.FromSeconds(40), pod => Waiting(pod) == "CreateContainerConfigError");
        await pods.PostAsync("/api/v1/namespaces/late/configmaps", """{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"words"},"data":{"a..b":"hello"} }""");
        await pods.ReadyAsync("waits", TimeSpan.FromSeconds(90));
        await Until.HoldsAsync("the word", TimeSpan.FromSeconds(10), async () => await pods.LogAsync("waits") == "hello\n");
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_ConfigMap_of_a_mebibyte_and_a_key_with_two_dots_reach_the_container()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "large");
        string large = new('x', (1 << 20) - 200);
        await pods.PostAsync("/api/v1/namespaces/large/configmaps",
            $$"""{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"large"},"data":{"large":"{{large}}","a..b":"dots"} }""");
        await pods.PodAsync("reads", Workloads.Shell("wc -c < /c/large; cat /c/a..b; echo; sleep 3600", more: "\"volumeMounts\":[{\"name\":\"c\",\"mountPath\":\"/c\"}]"),
            "\"terminationGracePeriodSeconds\":1,\"volumes\":[{\"name\":\"c\",\"configMap\":{\"name\":\"large\"}}]");
        await pods.ReadyAsync("reads");
        await Until.HoldsAsync("both files", TimeSpan.FromSeconds(10), async () => await pods.LogAsync("reads") == $"{large.Length}\ndots\n");
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_variable_whose_name_has_a_dot_reaches_the_container()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "dotted");
        await pods.PodAsync("env", $$"""{"name":"main","image":"{{Images.TestImages.Busybox}}","imagePullPolicy":"Never","command":["env"],"env":[{"name":"a.b","value":"dots"}]}""", "\"restartPolicy\":\"Never\"");
        await pods.PhaseAsync("env", "Succeeded");
        Assert.Contains("a.b=dots\n", await pods.LogAsync("env"), StringComparison.Ordinal);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_static_manifest_over_ten_mebibytes_is_refused_and_others_run_on()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "static");
        string path = Path.Combine(Cluster.Node.ManifestFolder, "huge.yaml");
        await File.WriteAllTextAsync(path, "# " + new string('x', 11 << 20) + "\napiVersion: v1\nkind: Pod\nmetadata: {name: huge}\n");
        try
        {
            await Until.HoldsAsync("the log names the file", TimeSpan.FromSeconds(40), async () =>
                (await File.ReadAllTextAsync(Cluster.Node.KubeletProcess.Log, Encoding.UTF8)).Contains("huge.yaml", StringComparison.Ordinal));
            await StillServesAsync(pods);
        }
        finally
        {
            File.Delete(path);
        }
        await pods.DeleteAsync();
    }

    private static async Task StillServesAsync(Workloads pods)
    {
        await pods.PodAsync("good", Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        await pods.ReadyAsync("good");
    }

    private static string? Waiting(Pod pod) => pod.Status.ContainerStatuses.FirstOrDefault()?.State?.Waiting?.Reason;
}
