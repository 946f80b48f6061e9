using NodeAgent.FakeCriRuntime;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>Pods of any content neither stop the agent nor hang it nor disturb a neighbour. NODE_AGENT_FUZZ_SEED runs another seed.</summary>
public sealed class FuzzedPodTests
{
    private const int Count = 30;
    private static readonly string[] Harmless = ["ContainerStatus", "PodSandboxStatus"];

    public static TheoryData<int> Seeds => int.TryParse(Environment.GetEnvironmentVariable("NODE_AGENT_FUZZ_SEED"), out int seed) ? [seed] : [1, 2, 3];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Whatever_a_pod_asks_for_it_ends_in_a_defined_state_and_its_neighbour_notices_nothing(int seed)
    {
        await using PodCore core = await PodCore.StartAsync();
        core.Volumes.GivesAll = true;
        core.Api.Put(PodCore.Pod("neighbour"));
        await core.UntilAsync(() => core.Runs("neighbour"), "the neighbour runs");
        FakeContainer before = core.Running().Single();
        int from = core.Fake.Calls.Count;

        var fuzzed = new FuzzedPods(seed);
        Pod[] pods = [.. Enumerable.Range(0, Count).Select(fuzzed.Next)];
        foreach (Pod pod in pods)
        {
            core.Api.Put(pod);
        }

        await core.UntilAsync(() => Array.TrueForAll(pods, pod => IsDefined(core, pod.Metadata.Name!)), () => $"seed {seed}: every pod is in a defined state; not so {Undefined(core, pods)}");
        Assert.Contains(pods, pod => core.Runs(pod.Metadata.Name!));
        Assert.True(core.Runs("neighbour"));
        Assert.Equal(before.Status.Id, Assert.Single(OfNeighbour(core)).Status.Id);
        string[] touched = [.. core.Fake.Calls.Skip(from).Where(call => !Harmless.Contains(call.Method.Split('/')[^1]))
            .Select(call => $"{call.Method} {call.Request}").Where(call => call.Contains(before.Status.Id, StringComparison.Ordinal) || call.Contains(before.SandboxId, StringComparison.Ordinal))];
        Assert.True(touched.Length == 0, $"seed {seed}: {string.Join("; ", touched)}");

        core.Fake.ExitContainer(before.Status.Id, 1);
        await core.UntilAsync(() => core.Runs("neighbour") && OfNeighbour(core).Length == 1, "the neighbour runs again");

        foreach (Pod pod in pods)
        {
            core.Api.Put(fuzzed.Debugged(core.Api.Find(pod.Metadata.Name!)!));
        }

        await core.UntilAsync(() => Array.TrueForAll(pods, pod => IsDebugged(core, pod.Metadata.Name!)), () => $"seed {seed}: every ephemeral container is in a defined state; not so {string.Join("\n", pods.Where(pod => !IsDebugged(core, pod.Metadata.Name!)).Take(2).Select(pod => KubernetesJson.Serialize(core.Api.Find(pod.Metadata.Name!)!)))}");
        Assert.Contains(pods, pod => core.Api.Find(pod.Metadata.Name!)!.Status.EphemeralContainerStatuses.Any(c => c.State?.Running is not null));
        Assert.Single(OfNeighbour(core));

        foreach (Pod pod in pods)
        {
            core.Api.Delete(pod.Metadata.Name!, grace: 1);
        }

        await core.UntilAsync(() => Array.TrueForAll(pods, pod => core.Api.Find(pod.Metadata.Name!) is null) && core.Fake.Sandboxes.Length == 1 && core.Agent.Workers.Known.Count == 1, () => $"seed {seed}: every pod goes; still there {string.Join("\n", pods.Select(pod => core.Api.Find(pod.Metadata.Name!)).OfType<Pod>().Take(2).Select(KubernetesJson.Serialize))} {core.Fake.Sandboxes.Length} sandboxes; workers {string.Join(' ', core.Agent.Workers.Known)}");
        Assert.Single(OfNeighbour(core));
        Assert.Empty(core.Breaches);
        Exception[] faults = [.. core.Faults.Where(IsFault)];
        Assert.True(faults.Length == 0, $"seed {seed}: {string.Join("\n", faults.Select(fault => fault.ToString()).Distinct().Take(5))}");
    }

    private static FakeContainer[] OfNeighbour(PodCore core) => [.. core.Running().Where(c => c.Status.Labels["io.kubernetes.pod.name"] == "neighbour")];

    // What says something about the object or the runtime is an answer; the rest is a slip of ours.
    private static bool IsFault(Exception e) => e is NullReferenceException or ArgumentException or InvalidOperationException or IndexOutOfRangeException or KeyNotFoundException
        or OverflowException or FormatException or InvalidCastException or NotImplementedException or DivideByZeroException or System.Text.Json.JsonException;

    private static bool IsDefined(PodCore core, string name)
    {
        PodStatus status = core.Api.Find(name)!.Status;
        return status.Phase is "Failed" or "Succeeded"
            || (status.ContainerStatuses.Count > 0 && status.ContainerStatuses.All(c => c.State?.Running is not null))
            || status.InitContainerStatuses.Concat(status.ContainerStatuses).Any(c => Settles(c.State))
            || core.Agent.Events.All.Any(e => e.Pod == name && e.Reason.StartsWith("Fail", StringComparison.Ordinal));
    }

    // One in a pod that has no sandbox, or that the node does not take, stays untold of.
    private static bool IsDebugged(PodCore core, string name)
    {
        Pod pod = core.Api.Find(name)!;
        return pod.Status.Phase is "Failed" or "Succeeded" || !pod.Status.Conditions.Any(c => c is { Type: "PodReadyToStartContainers", Status: "True" })
            || (pod.Status.EphemeralContainerStatuses.Count == pod.Spec.EphemeralContainers.Count
                && pod.Status.EphemeralContainerStatuses.All(c => c.State?.Terminated is not null || Settles(c.State)));
    }

    private static bool Settles(ContainerState? state) => state is { Running: not null } or { Waiting.Reason: not (null or "ContainerCreating" or "PodInitializing") };

    private static string Undefined(PodCore core, Pod[] pods) => string.Join("\n", pods.Select(pod => core.Api.Find(pod.Metadata.Name!)!).Where(pod => !IsDefined(core, pod.Metadata.Name!)).Take(3)
        .Select(pod => KubernetesJson.Serialize(pod))) + string.Join("\n", core.Faults.Select(fault => fault.ToString()).Distinct().Take(3));
}
