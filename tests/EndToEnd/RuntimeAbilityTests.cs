using System.Text;
using NodeAgent.Harness.Cluster;
using NodeAgent.Images;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

/// <summary>Fields that take more than the agent: what the runtime and the kernel do with them, and what users read where they cannot.</summary>
[Collection(NodeCollection.Name)]
public sealed class RuntimeAbilityTests(ClusterFixture fixture)
{
    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task A_pod_with_resources_as_a_whole_has_them_in_the_kernel_and_can_be_resized()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "whole");
        await pods.PodAsync("whole", Workloads.Shell("sleep 3600 & wait"), "\"terminationGracePeriodSeconds\":1,"
            + "\"resources\":" + """{"requests":{"cpu":"100m","memory":"32Mi"},"limits":{"cpu":"200m","memory":"64Mi"}}""");
        Pod pod = await pods.ReadyAsync("whole");
        Assert.Equal("Burstable", pod.Status.QosClass);
        Assert.Equal("67108864", await MemoryLimitAsync("whole"));
        await Cluster.Client.RawAsync(HttpMethod.Patch, "/api/v1/namespaces/whole/pods/whole/resize",
            Encoding.UTF8.GetBytes("""{"spec":{"resources":{"requests":{"cpu":"150m","memory":"48Mi"},"limits":{"cpu":"300m","memory":"96Mi"}}}}"""), "application/merge-patch+json");
        pod = await pods.PodIsAsync("whole", "resized", Workloads.StartLimit, p => p.Status.Resources?.Limits.GetValueOrDefault("memory").ToString() == "96Mi"
            && p.Status.Resources.Limits.GetValueOrDefault("cpu").ToString() == "300m" && !p.Status.Conditions.Any(c => c.Type.StartsWith("PodResize", StringComparison.Ordinal)));
        Assert.Equal(("150m", "48Mi"), (pod.Status.AllocatedResources["cpu"].ToString(), pod.Status.AllocatedResources["memory"].ToString()));
        Assert.Equal("100663296", await MemoryLimitAsync("whole"));
        Assert.Equal(0, pod.Status.ContainerStatuses.Single().RestartCount);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_pod_with_users_of_its_own_has_them_or_says_that_the_runtime_cannot()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "users");
        await pods.PodAsync("users", Workloads.Shell("cat /proc/self/uid_map; echo mine > /work/file; sleep 3600 & wait", more: "\"volumeMounts\":[{\"name\":\"work\",\"mountPath\":\"/work\"}]"),
            "\"terminationGracePeriodSeconds\":1,\"hostUsers\":false,\"volumes\":[{\"name\":\"work\",\"emptyDir\":{}}]");
        Node node = await Cluster.Client.GetAsync<Node>(null, Cluster.Options.NodeName);
        if (node.Status.RuntimeHandlers.FirstOrDefault(h => string.IsNullOrEmpty(h.Name))?.Features?.UserNamespaces == true)
        {
            await pods.ReadyAsync("users");
            string[] map = (await pods.LogAsync("users")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["0", "65536"], [map[0], map[2]]);
            Assert.NotEqual("0", map[1]);
            // On the node the file is root's: the mount is mapped, not the file.
            ExecAnswer owner = await PodExec.RunAsync(Cluster, "users", "users", ["stat", "-c", "%u", "/work/file"]);
            Assert.Equal("0\n", owner.Output);
        }
        else
        {
            await Harness.Host.Until.NothingMissesAsync("the event that tells it", Workloads.StartLimit, async () => await pods.EventsAsync("users") is var events
                && events.Contains("FailedCreatePodSandBox: Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces") ? null : string.Join("; ", events));
        }

        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task An_image_is_a_volume_or_the_runtimes_refusal_reaches_the_user()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "images");
        await pods.PodAsync("image", Workloads.Shell("ls /image/hello; touch /image/x || echo read-only; sleep 3600 & wait", more: "\"volumeMounts\":[{\"name\":\"image\",\"mountPath\":\"/image\"}]"),
            $"\"terminationGracePeriodSeconds\":1,\"volumes\":[{{\"name\":\"image\",\"image\":{{\"reference\":\"{TestImages.Hello}\",\"pullPolicy\":\"Never\"}}}}]");
        Pod pod = await pods.PodIsAsync("image", "runs or waits", Workloads.StartLimit, p => Workloads.IsReady(p) || Waiting(p) == "CreateContainerError");
        if (Workloads.IsReady(pod))
        {
            await Harness.Host.Until.NothingMissesAsync("what the container found", Workloads.StartLimit, async () =>
                await pods.LogAsync("image") is var log && log.Contains("/image/hello", StringComparison.Ordinal) && log.Contains("read-only", StringComparison.Ordinal) ? null : log);
        }
        else
        {
            Assert.DoesNotContain("containerd 2", await Cluster.Runtime.VersionAsync(), StringComparison.Ordinal);
        }

        await pods.PodAsync("absent", Workloads.Shell("sleep 3600", more: "\"volumeMounts\":[{\"name\":\"image\",\"mountPath\":\"/image\"}]"),
            "\"terminationGracePeriodSeconds\":1,\"volumes\":[{\"name\":\"image\",\"image\":{\"reference\":\"node-agent.test/absent:1\",\"pullPolicy\":\"Never\"}}]");
        await pods.PodIsAsync("absent", "waits for the image", Workloads.StartLimit, p => Waiting(p) == "ErrImageNeverPull");
        await pods.DeleteAsync();
    }

    private static string? Waiting(Pod pod) => pod.Status.ContainerStatuses.FirstOrDefault()?.State?.Waiting?.Reason;

    private async Task<string> MemoryLimitAsync(string pod)
    {
        ExecAnswer answer = await PodExec.RunAsync(Cluster, pod, pod, ["sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"]);
        return answer.Output.Trim();
    }
}
