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
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

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

    /// <summary>Joins, approves the request for a serving certificate as an administrator does, and waits until the application runs.</summary>
    public static async Task<JoinedGuest> JoinAsync(GuestShell shell)
    {
        await shell.ApplyAsync(Application);
        JoinedGuest guest = new(shell, await shell.MustAsync($"kubeadm join {shell.JoinArguments} 2>&1"));
        await shell.WaitAsync($"node/{Node}", "create");
        await guest.ReadyAsync();
        await Until.HoldsAsync("the node asks for a serving certificate", Patience, async () => (await guest.ServingRequestsAsync()).Length > 0);
        await shell.KubectlAsync(["certificate", "approve", .. await guest.ServingRequestsAsync()]);
        await shell.WaitAsync("deployment/application", "condition=Available");
        return guest;
    }

    /// <summary>Waits until the node is Ready.</summary>
    public Task ReadyAsync() => Shell.WaitAsync($"node/{Node}", "condition=Ready");

    /// <summary>The names of the node's requests for serving certificates.</summary>
    public async Task<string[]> ServingRequestsAsync() => (await Shell.KubectlAsync(
        "get", "csr", "--field-selector=spec.signerName=kubernetes.io/kubelet-serving", "-o", "jsonpath={range .items[*]}{.metadata.name}{'\\n'}{end}"))
        .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The Deployment's pod, running: what must not change while only the agent is touched.</summary>
    public async Task<RunningPod> ApplicationAsync()
    {
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

    /// <summary>Runs a pod to its end: the agent's loops all work.</summary>
    public async Task AnotherPodRunsAsync()
    {
        string name = $"another-{Guid.NewGuid():N}"[..16];
        await Shell.KubectlAsync("run", name, $"--image={TestImages.Busybox}", "--image-pull-policy=Never", "--restart=Never", "--command", "--", "true");
        await Shell.WaitAsync($"pod/{name}", "jsonpath={.status.phase}=Succeeded");
        await Shell.KubectlAsync("delete", "pod", name, "--wait=false");
    }
}

/// <summary>One incarnation of the pod's container.</summary>
/// <param name="Name">The pod's name.</param>
/// <param name="Container">The container's id.</param>
/// <param name="Restarts">Its restart count.</param>
/// <param name="Process">Its processes.</param>
/// <param name="Limits">The pod's and the container's cgroup files, one a line.</param>
public sealed record RunningPod(string Name, string Container, string Restarts, string Process, string Limits);
