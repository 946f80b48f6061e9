using System.Diagnostics;
using NodeAgent.Harness.Cluster;
using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.EndToEnd;

[Collection(NodeCollection.Name)]
public sealed class PodTests(ClusterFixture fixture)
{
    private NodeCluster Cluster => fixture.Cluster;

    [NodeFact]
    public async Task A_pod_runs_and_its_logs_can_be_read()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "logs");
        await pods.PodAsync("talk", Workloads.Shell("echo first; echo second >&2; sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        Pod pod = await pods.ReadyAsync("talk");
        Assert.Equal(Cluster.Address.ToString(), pod.Status.HostIP);
        Assert.StartsWith($"10.{Cluster.Options.PodNetwork}.0.", pod.Status.PodIP, StringComparison.Ordinal);
        await Until.NothingMissesAsync("both lines", TimeSpan.FromSeconds(10), async () =>
            await pods.LogAsync("talk") is var log && log.Contains("first\n", StringComparison.Ordinal) && log.Contains("second\n", StringComparison.Ordinal) ? null : log);
        // The two streams are not ordered among each other.
        Assert.Equal((await pods.LogAsync("talk")).Split('\n')[1] + "\n", await pods.LogAsync("talk", "?tailLines=1"));
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_command_runs_in_a_container_through_the_API_server()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "exec");
        await pods.PodAsync("shell", Workloads.Shell("sleep 3600"), "\"terminationGracePeriodSeconds\":1");
        await pods.ReadyAsync("shell");
        ExecAnswer answer = await PodExec.RunAsync(Cluster, "exec", "shell", ["sh", "-c", "echo out; echo err >&2"]);
        Assert.Equal(("out\n", "err\n"), (answer.Output, answer.Error));
        Assert.True(answer.Succeeded, answer.Status);
        ExecAnswer failed = await PodExec.RunAsync(Cluster, "exec", "shell", ["sh", "-c", "exit 7"]);
        Assert.Contains("\"7\"", failed.Status, StringComparison.Ordinal);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_pod_that_ends_is_counted_as_ended_with_its_exit_code()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "ends");
        await pods.PodAsync("good", Workloads.Shell("exit 0"), "\"restartPolicy\":\"Never\"");
        await pods.PodAsync("bad", Workloads.Shell("exit 3"), "\"restartPolicy\":\"Never\"");
        await pods.PhaseAsync("good", "Succeeded");
        Pod bad = await pods.PhaseAsync("bad", "Failed");
        Assert.Equal(3, bad.Status.ContainerStatuses.Single().State?.Terminated?.ExitCode);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task Init_containers_run_in_order_before_the_others()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "init");
        string mount = "\"volumeMounts\":[{\"name\":\"work\",\"mountPath\":\"/work\"}]";
        await pods.PodAsync("order", Workloads.Shell("cat /work/log; sleep 3600", more: mount),
            "\"terminationGracePeriodSeconds\":1,\"volumes\":[{\"name\":\"work\",\"emptyDir\":{}}],\"initContainers\":["
            + Workloads.Shell("echo one >> /work/log", "first", mount) + "," + Workloads.Shell("echo two >> /work/log", "second", mount) + "]");
        await pods.ReadyAsync("order");
        await Until.HoldsAsync("the log of both", TimeSpan.FromSeconds(10), async () => await pods.LogAsync("order") == "one\ntwo\n");
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task A_container_that_crashes_is_restarted_with_back_off()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "crash");
        await pods.PodAsync("loop", Workloads.Shell("exit 1"));
        Pod pod = await pods.PodIsAsync("loop", "in CrashLoopBackOff after a restart", TimeSpan.FromSeconds(60), pod =>
            pod.Status.ContainerStatuses.FirstOrDefault() is { RestartCount: >= 1, State.Waiting.Reason: "CrashLoopBackOff" });
        Assert.Equal(1, pod.Status.ContainerStatuses.Single().LastState?.Terminated?.ExitCode);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task Deletion_honours_the_grace_period_and_leaves_nothing()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "grace");
        string volumes = "\"volumes\":[{\"name\":\"m\",\"emptyDir\":{\"medium\":\"Memory\"}}]";
        string mount = "\"volumeMounts\":[{\"name\":\"m\",\"mountPath\":\"/m\"}]";
        await pods.PodAsync("deaf", Workloads.Shell("trap '' TERM; while :; do sleep 1; done", more: mount), "\"terminationGracePeriodSeconds\":4," + volumes);
        await pods.PodAsync("polite", Workloads.Shell("trap 'exit 0' TERM; while :; do sleep 0.1; done", more: mount), "\"terminationGracePeriodSeconds\":60," + volumes);
        Pod deaf = await pods.ReadyAsync("deaf"), polite = await pods.ReadyAsync("polite");
        Assert.NotEmpty(await HostTraces.OfAsync(Cluster, deaf));

        Stopwatch watch = Stopwatch.StartNew();
        await pods.DeletePodAsync("polite");
        await pods.GoneAsync("polite", TimeSpan.FromSeconds(20));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), "a container that ends on SIGTERM is not waited for");

        watch.Restart();
        await pods.DeletePodAsync("deaf");
        await pods.GoneAsync("deaf", TimeSpan.FromSeconds(30));
        Assert.True(watch.Elapsed > TimeSpan.FromSeconds(3.5), $"SIGKILL came after {watch.Elapsed}, before the grace period ended");

        await HostTraces.GoneAsync(Cluster, [deaf, polite]);
        await pods.DeleteAsync();
    }

    [NodeFact]
    public async Task Thirty_pods_at_once_become_Ready_and_go()
    {
        Workloads pods = await Workloads.CreateAsync(Cluster, "many");
        Stopwatch watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 30).Select(number =>
            pods.PodAsync($"pod-{number}", Workloads.Shell("trap 'exit 0' TERM; sleep 3600 & wait"), "\"terminationGracePeriodSeconds\":5")));
        await pods.AllReadyAsync(30, limit: TimeSpan.FromSeconds(150));
        Console.WriteLine($"[end-to-end] 30 pods Ready after {watch.Elapsed.TotalSeconds:F1} s");
        await pods.DeleteAsync(TimeSpan.FromSeconds(150));
    }
}
