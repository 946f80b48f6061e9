using System.Text.RegularExpressions;
using NodeAgent.Harness.Host;

namespace NodeAgent.Guest.Tests;

/// <summary>
/// The agent as the kubelet of a Debian 12 host with systemd, cgroup v2 and containerd, which kubeadm joins to a real control plane. Each test
/// leaves the node Ready and the application running.
/// </summary>
[Trait("Category", "Root")]
public sealed partial class NodeInAGuestTests(GuestFixture fixture) : IClassFixture<GuestFixture>
{
    private const string StallFolder = "/run/node-agent-stall";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [GuestFact]
    public Task Kubeadm_joins_the_host_with_a_bootstrap_token_and_the_node_becomes_ready() => KeepingAsync(async guest =>
    {
        Assert.Contains("This node has joined the cluster", guest.JoinOutput, StringComparison.Ordinal);
        string requests = await guest.Shell.KubectlAsync("get", "csr", "-o",
            "jsonpath={range .items[*]}{.spec.signerName} {.spec.username} {.status.conditions[*].type}{'\\n'}{end}");
        Assert.Contains("kubernetes.io/kube-apiserver-client-kubelet system:bootstrap:guest0 Approved", requests, StringComparison.Ordinal);
        Assert.Equal("cgroup2fs", await guest.Shell.MustAsync("stat -fc %T /sys/fs/cgroup"));
        Assert.Contains("subject=O = system:nodes, CN = system:node:guest1",
            await guest.Shell.MustAsync("openssl x509 -noout -subject -in /var/lib/kubelet/pki/kubelet-client-current.pem"), StringComparison.Ordinal);
        Assert.StartsWith("containerd://", await guest.Shell.KubectlAsync("get", "node", JoinedGuest.Node, "-o", "jsonpath={.status.nodeInfo.containerRuntimeVersion}"),
            StringComparison.Ordinal);
        Assert.Equal("active", await guest.Shell.MustAsync("systemctl is-active kubepods.slice"));
        // Before its certificate a node asks for one and for nothing else.
        Assert.DoesNotContain("system:anonymous", await guest.Shell.MustAsync("journalctl -u kubelet --no-pager"), StringComparison.Ordinal);
    });

    [GuestFact]
    public Task The_unit_is_well_formed_and_notifies_systemd() => KeepingAsync(async guest =>
    {
        Assert.Equal("", await guest.Shell.MustAsync("systemd-analyze verify kubelet.service 2>&1"));
        await guest.AgentActiveAsync();
        Assert.Equal("1min", await guest.UnitAsync("WatchdogUSec"));
        Assert.Equal("0", await guest.UnitAsync("LimitCORE"));
    });

    [GuestFact]
    public Task A_Deployments_pod_runs_within_its_limits_and_reads_its_secret() => KeepingAsync(async guest =>
    {
        RunningPod pod = await guest.ApplicationAsync();
        Assert.Equal("0", pod.Restarts);
        string container = $"cri-containerd-{pod.Container}.scope/";
        string[] limits = pod.Limits.Split('\n');
        Assert.Contains("cpu.max:20000 100000", limits);
        Assert.Contains("memory.max:33554432", limits);
        Assert.Contains($"{container}cpu.max:20000 100000", limits);
        Assert.Contains($"{container}memory.max:33554432", limits);
        // 50 millicores are 51 shares, which are weight 2 of 10000 (1 + (51 - 2) * 9999 / 262142).
        Assert.Contains("cpu.weight:2", limits);
        Assert.Equal("the word is open sesame", await guest.Shell.MustAsync($"cat /var/log/pods/default_{pod.Name}_*/main/0.log | cut -d' ' -f4-"));
    });

    [GuestFact]
    public Task A_restart_of_the_agent_or_a_reload_of_systemd_restarts_no_container_and_changes_no_limit() => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        await guest.Shell.MustAsync("systemctl daemon-reload");
        Assert.Equal(before, await guest.ApplicationAsync());
        string agent = await guest.UnitAsync("MainPID");
        await guest.Shell.MustAsync("systemctl restart kubelet");
        Assert.NotEqual(agent, await guest.UnitAsync("MainPID"));
        await guest.Shell.MustAsync("systemctl daemon-reload");
        // A new agent has taken the pods over once it runs another one.
        await AnotherPodRunsAsync(guest, "after-restart");
        Assert.Equal(before, await guest.ApplicationAsync());
    });

    [GuestTheory]
    [InlineData("sync loop")]
    [InlineData("worker dispatch")]
    [InlineData("PLEG")]
    public Task The_watchdog_restarts_the_agent_when_a_loop_stands_still_and_no_container_with_it(string loop) => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        string file = $"{StallFolder}/{loop.Replace(' ', '-')}";
        await WatchAsync(guest, $"echo {(loop == "PLEG" ? 15 : 5)} >{file}.limit");
        await AnotherPodRunsAsync(guest, "before-stall");
        int restarts = int.Parse(await guest.UnitAsync("NRestarts"));
        await guest.Shell.MustAsync($"touch {file}.blocked");
        // The first change stands in the loop, the second one finds it standing.
        foreach (string change in new[] { "first", "second" })
            await guest.Shell.KubectlAsync("annotate", "pod", before.Name, "--overwrite", $"change={change}-{loop.Replace(' ', '-')}");
        await Until.NothingMissesAsync($"systemd's watchdog ends the agent, whose {loop} stands", Patience, async () =>
            await guest.Shell.MustAsync("journalctl -u kubelet --no-pager -o cat --since=-2min") is var journal
            && journal.Contains($"Loop {loop} has made no progress", StringComparison.Ordinal)
            && journal.Contains("Watchdog timeout", StringComparison.Ordinal) ? null : journal[^Math.Min(600, journal.Length)..]);
        await guest.Shell.MustAsync($"rm {file}.blocked");
        await Until.HoldsAsync("systemd starts the agent again", Patience, async () => int.Parse(await guest.UnitAsync("NRestarts")) > restarts);
        await UnwatchAsync(guest);
        await AnotherPodRunsAsync(guest, "after-stall");
        Assert.Equal(before, await guest.ApplicationAsync());
    });

    [GuestFact]
    public Task A_runtime_that_hangs_makes_the_node_not_ready_and_is_no_matter_of_the_watchdog() => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        await WatchAsync(guest, $"echo 40 >{StallFolder}/PLEG.limit; echo 40 >{StallFolder}/sync-loop.limit; echo 40 >{StallFolder}/worker-dispatch.limit");
        await AnotherPodRunsAsync(guest, "before-hang");
        string agent = await guest.UnitAsync("MainPID");
        // What is told of the runtime counts for 30 s; the limit of 40 s and the watchdog's 10 s are over after 50 s.
        await guest.Shell.MustAsync("systemctl kill --signal=STOP --kill-whom=main containerd");
        await Until.HoldsAsync("the node is not Ready", Patience, async () =>
            await guest.Shell.KubectlAsync("get", "node", JoinedGuest.Node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}") == "False");
        await guest.Shell.MustAsync("sleep 40");
        Assert.Equal(agent, await guest.UnitAsync("MainPID"));
        await guest.Shell.MustAsync("systemctl kill --signal=CONT --kill-whom=main containerd");
        await guest.ReadyAsync();
        Assert.Equal(agent, await guest.UnitAsync("MainPID"));
        await UnwatchAsync(guest);
        Assert.Equal(before, await guest.ApplicationAsync());
    });

    [GuestFact]
    public Task The_serving_certificate_comes_by_a_request_that_is_approved_and_logs_and_exec_work_over_it() => KeepingAsync(async guest =>
    {
        RunningPod pod = await guest.ApplicationAsync();
        string request = "";
        await Until.HoldsAsync("the node asks for a serving certificate", Patience, async () =>
        {
            string[] names = (await guest.Shell.KubectlAsync("get", "csr", "--field-selector=spec.signerName=kubernetes.io/kubelet-serving", "-o",
                "jsonpath={range .items[*]}{.metadata.name}{'\\n'}{end}")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            request = names.LastOrDefault() ?? "";
            return names.Length > 0;
        });
        Assert.Equal("system:node:guest1 10.0.2.15", $"{await guest.Shell.KubectlAsync("get", "csr", request, "-o", "jsonpath={.spec.username}")} {await RequestedAddressAsync(guest, request)}");
        await guest.Shell.KubectlAsync("certificate", "approve", request);
        await Until.NothingMissesAsync("kubectl logs works", Patience, async () =>
            await guest.Shell.TryKubectlAsync(null, "logs", pod.Name) is { ExitCode: 0, Output: "the word is open sesame\n" } ? null
                : (await guest.Shell.TryKubectlAsync(null, "logs", pod.Name)).Error);
        Assert.Equal("open sesame", await guest.Shell.KubectlAsync("exec", pod.Name, "--", "cat", "/secret/word"));
        Assert.Contains("kubelet-server-", await guest.Shell.MustAsync("readlink /var/lib/kubelet/pki/kubelet-server-current.pem"), StringComparison.Ordinal);
        // The next agent takes it from the store and asks for no other.
        await guest.Shell.MustAsync("systemctl restart kubelet");
        await Until.HoldsAsync("kubectl exec works after a restart", Patience, async () =>
            (await guest.Shell.TryKubectlAsync(null, "exec", pod.Name, "--", "true")).ExitCode == 0);
    });

    [GuestFact]
    public Task After_a_reboot_the_pod_runs_again() => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        string boot = await guest.Shell.MustAsync("cat /proc/sys/kernel/random/boot_id");
        await guest.Shell.RunAsync("systemctl reboot");
        await Until.HoldsAsync("the guest has booted again", Patience, async () =>
            await guest.Shell.RunAsync("cat /proc/sys/kernel/random/boot_id") is { ExitCode: 0 } answer && answer.Output.Trim() != boot);
        await Until.HoldsAsync("the pod has another container", Patience, async () =>
            (await guest.Shell.KubectlAsync("get", "pod", before.Name, "-o", "jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}"))
                == $"{int.Parse(before.Restarts) + 1} true");
        await guest.ReadyAsync();
        RunningPod after = await guest.ApplicationAsync();
        Assert.Equal(before.Name, after.Name);
        Assert.NotEqual(before.Container, after.Container);
        Assert.Equal(before.Limits.Replace(before.Container, after.Container), after.Limits);
    });

    // The watchdog's own times would make this take ten minutes.
    private static async Task WatchAsync(JoinedGuest guest, string limits)
    {
        await guest.Shell.MustAsync(
            $"mkdir -p -m 700 {StallFolder} && rm -f {StallFolder}/* && {limits} && mkdir -p /run/systemd/system/kubelet.service.d && "
            + $"printf '[Service]\\nEnvironment=NODE_AGENT_TEST_STALL={StallFolder}\\nWatchdogSec=10\\nRestartSec=1\\n' >/run/systemd/system/kubelet.service.d/90-watch.conf && "
            + "systemctl daemon-reload && systemctl restart kubelet");
    }

    private static Task UnwatchAsync(JoinedGuest guest) =>
        guest.Shell.MustAsync($"rm -r /run/systemd/system/kubelet.service.d {StallFolder} && systemctl daemon-reload && systemctl restart kubelet");

    private static async Task AnotherPodRunsAsync(JoinedGuest guest, string name)
    {
        name = $"{name}-{Guid.NewGuid():N}"[..24];
        await guest.Shell.KubectlAsync("run", name, $"--image={Images.TestImages.Busybox}", "--image-pull-policy=Never", "--restart=Never", "--command", "--", "true");
        await Until.HoldsAsync($"pod {name} has run", Patience, async () =>
            await guest.Shell.KubectlAsync("get", "pod", name, "-o", "jsonpath={.status.phase}") == "Succeeded");
        await guest.Shell.KubectlAsync("delete", "pod", name, "--wait=false");
    }

    private static async Task<string> RequestedAddressAsync(JoinedGuest guest, string request)
    {
        string pem = System.Text.Encoding.ASCII.GetString(Convert.FromBase64String(await guest.Shell.KubectlAsync("get", "csr", request, "-o", "jsonpath={.spec.request}")));
        string text = await guest.Shell.MustAsync($"openssl req -noout -text <<'PEM'\n{pem}\nPEM");
        return Address().Match(text).Groups[1].Value;
    }

    private async Task KeepingAsync(Func<JoinedGuest, Task> test)
    {
        try
        {
            await test(await fixture.JoinedAsync);
        }
        catch
        {
            fixture.Failed = true;
            throw;
        }
    }

    [GeneratedRegex("IP Address:([0-9.]+)")]
    private static partial Regex Address();
}
