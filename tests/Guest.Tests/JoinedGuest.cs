using NodeAgent.Harness.Host;
using NodeAgent.Images;

namespace NodeAgent.Guest.Tests;

/// <summary>The guest after kubeadm join, with the application that the tests look at.</summary>
/// <param name="Shell">Commands.</param>
/// <param name="JoinOutput">What kubeadm join wrote.</param>
public sealed record JoinedGuest(GuestShell Shell, string JoinOutput)
{
    /// <summary>The node's name.</summary>
    public const string Node = "guest1";

    // Long enough for software emulation on a busy machine; nothing waits for it when all is well.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private const string Application = $$$"""
        apiVersion: v1
        kind: Secret
        metadata: {name: word}
        stringData: {word: open sesame}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: application}
        spec:
          selector: {matchLabels: {app: application}}
          template:
            metadata: {labels: {app: application}}
            spec:
              terminationGracePeriodSeconds: 1
              containers:
              - name: main
                image: {{{TestImages.Busybox}}}
                imagePullPolicy: Never
                command: [sh, -c, "echo the word is $(cat /secret/word); exec sleep 100000"]
                resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {cpu: 200m, memory: 32Mi}}
                volumeMounts: [{name: word, mountPath: /secret, readOnly: true}]
              volumes: [{name: word, secret: {secretName: word}}]
        """;

    private readonly Lazy<Task> _application = new(async () =>
    {
        await Shell.ApplyAsync(Application);
        await Until.HoldsAsync("the Deployment has an available pod", Patience, async () =>
            await Shell.KubectlAsync("get", "deployment", "application", "-o", "jsonpath={.status.availableReplicas}") == "1");
    });

    /// <summary>Joins, and waits until the node is Ready.</summary>
    public static async Task<JoinedGuest> JoinAsync(GuestShell shell)
    {
        string output = await shell.MustAsync($"kubeadm join {shell.JoinArguments} 2>&1");
        JoinedGuest guest = new(shell, output);
        await guest.ReadyAsync();
        return guest;
    }

    /// <summary>Waits until the node is Ready.</summary>
    public Task ReadyAsync() => Until.NothingMissesAsync("the node is Ready", Patience, async () =>
    {
        string condition = await Shell.KubectlAsync("get", "node", Node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')]}");
        return condition.Contains("\"status\":\"True\"", StringComparison.Ordinal) ? null : condition;
    });

    /// <summary>The Deployment's pod, running: what must not change while only the agent is touched.</summary>
    public async Task<RunningPod> ApplicationAsync()
    {
        await _application.Value;
        string[] seen = (await Shell.KubectlAsync("get", "pod", "-l", "app=application", "-o",
            "jsonpath={.items[0].metadata.name} {.items[0].metadata.uid} {.items[0].status.containerStatuses[0].containerID} {.items[0].status.containerStatuses[0].restartCount} {.items[*].metadata.name}")).Split(' ');
        Assert.Equal(5, seen.Length);
        string id = seen[2]["containerd://".Length..];
        string group = $"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{seen[1].Replace('-', '_')}.slice";
        // Not memory.oom.group of the scope: the runtime writes it past systemd, which puts its own value back at a daemon-reload.
        string limits = await Shell.MustAsync(
            $"cd {group} && grep -H . cpu.max cpu.weight memory.max memory.oom.group pids.max cri-containerd-{id}.scope/cpu.max cri-containerd-{id}.scope/cpu.weight cri-containerd-{id}.scope/memory.max");
        string process = await Shell.MustAsync($"cat {group}/cri-containerd-{id}.scope/cgroup.procs");
        return new RunningPod(seen[0], id, seen[3], process, limits);
    }

    /// <summary>A property of the agent's unit.</summary>
    public Task<string> UnitAsync(string property) => Shell.MustAsync($"systemctl show kubelet --property={property} --value");

    /// <summary>Waits until the agent has been READY under systemd.</summary>
    public Task AgentActiveAsync() => Until.NothingMissesAsync("the agent's unit is active", Patience, async () =>
        await UnitAsync("ActiveState") is var state && state == "active" ? null : state);
}

/// <summary>One incarnation of the pod's container.</summary>
/// <param name="Name">The pod's name.</param>
/// <param name="Container">The container's id.</param>
/// <param name="Restarts">Its restart count.</param>
/// <param name="Process">Its processes.</param>
/// <param name="Limits">The pod's and the container's cgroup files, one a line.</param>
public sealed record RunningPod(string Name, string Container, string Restarts, string Process, string Limits);
