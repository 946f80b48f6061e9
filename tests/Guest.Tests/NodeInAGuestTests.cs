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
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

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
        Assert.Equal("active", await guest.UnitAsync("ActiveState"));
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
        await guest.AnotherPodRunsAsync();
        Assert.Equal(before, await guest.ApplicationAsync());
    });

    [GuestFact]
    public Task The_watchdog_restarts_the_agent_when_each_of_its_loops_stands_still_in_turn_and_no_container_with_it() => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        await WatchAsync(guest, limitOfPleg: 20);
        foreach (string loop in new[] { "sync loop", "worker dispatch", "PLEG" })
        {
            await guest.AnotherPodRunsAsync();
            string agent = await guest.UnitAsync("MainPID"), since = await guest.Shell.MustAsync("date +%s");
            await guest.Shell.MustAsync($"touch {BlockedFile(loop)}");
            // The first change stands in the loop, the second one finds it standing.
            foreach (string change in new[] { "first", "second" })
                await guest.Shell.KubectlAsync("annotate", "pod", before.Name, "--overwrite", $"change={change}-{loop.Replace(' ', '-')}");
            await Until.NothingMissesAsync($"systemd starts the agent again, whose {loop} stands", Patience, async () =>
                await guest.Shell.MustAsync("systemctl show kubelet --property=MainPID --property=SubState --value | xargs; sleep 1") is var now
                && now.EndsWith(" running", StringComparison.Ordinal) && !now.StartsWith($"{agent} ", StringComparison.Ordinal) ? null : now);
            await guest.Shell.MustAsync($"rm {BlockedFile(loop)}");
            string journal = await guest.Shell.MustAsync($"journalctl -u kubelet --no-pager -o cat --since=@{since}");
            Assert.Contains($"Loop {loop} has made no progress", journal, StringComparison.Ordinal);
            Assert.Contains("Watchdog timeout", journal, StringComparison.Ordinal);
            Assert.DoesNotContain("timed out. Killing", journal, StringComparison.Ordinal);
        }

        await guest.AnotherPodRunsAsync();
        await UnwatchAsync(guest);
        Assert.Equal(before, await guest.ApplicationAsync());
    });

    [GuestFact]
    public Task A_runtime_that_hangs_makes_the_node_not_ready_and_is_no_matter_of_the_watchdog() => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        await WatchAsync(guest, limitOfPleg: 40);
        await guest.AnotherPodRunsAsync();
        string agent = await guest.UnitAsync("MainPID");
        long began = TimeProvider.System.GetTimestamp();
        await guest.Shell.MustAsync("systemctl kill --signal=STOP --kill-whom=main containerd");
        // What is told of the runtime counts for 30 s; from then on PLEG has nothing to list and is not asked for progress.
        await guest.Shell.WaitAsync($"node/{JoinedGuest.Node}", "condition=Ready=false");
        // A loop that stood since then would have had its 40 s and the watchdog's 10 s by now.
        await guest.Shell.MustAsync($"sleep {Math.Max(0, 55 - (int)TimeProvider.System.GetElapsedTime(began).TotalSeconds)}");
        Assert.Equal(agent, await guest.UnitAsync("MainPID"));
        await guest.Shell.MustAsync("systemctl kill --signal=CONT --kill-whom=main containerd");
        await guest.ReadyAsync();
        await guest.AnotherPodRunsAsync();
        Assert.Equal(agent, await guest.UnitAsync("MainPID"));
        await UnwatchAsync(guest);
        Assert.Equal(before, await guest.ApplicationAsync());
    });

    [GuestFact]
    public Task The_serving_certificate_comes_by_a_request_that_is_approved_and_logs_and_exec_work_over_it() => KeepingAsync(async guest =>
    {
        RunningPod pod = await guest.ApplicationAsync();
        string request = Assert.Single(await guest.ServingRequestsAsync());
        Assert.Equal("system:node:guest1 10.0.2.15", $"{await guest.Shell.KubectlAsync("get", "csr", request, "-o", "jsonpath={.spec.username}")} {await RequestedAddressAsync(guest, request)}");
        await Until.NothingMissesAsync("kubectl logs works", Patience, async () =>
            await guest.Shell.TryKubectlAsync(null, "logs", pod.Name) is { ExitCode: 0, Output: "the word is open sesame\n" } ? null
                : (await guest.Shell.TryKubectlAsync(null, "logs", pod.Name)).Error);
        Assert.Equal("open sesame", await guest.Shell.KubectlAsync("exec", pod.Name, "--", "cat", "/secret/word"));
        Assert.Contains("kubelet-server-", await guest.Shell.MustAsync("readlink /var/lib/kubelet/pki/kubelet-server-current.pem"), StringComparison.Ordinal);
    });

    [GuestFact]
    public Task After_a_reboot_the_pod_runs_again() => KeepingAsync(async guest =>
    {
        RunningPod before = await guest.ApplicationAsync();
        string boot = await guest.Shell.MustAsync("cat /proc/sys/kernel/random/boot_id");
        await guest.Shell.RunAsync("systemctl reboot");
        await Until.HoldsAsync("the guest has booted again", Patience, async () =>
            await guest.Shell.RunAsync("cat /proc/sys/kernel/random/boot_id") is { ExitCode: 0 } answer && answer.Output.Trim() != boot);
        await guest.Shell.WaitAsync($"pod/{before.Name}", $"jsonpath={{.status.containerStatuses[0].restartCount}}={int.Parse(before.Restarts) + 1}");
        await guest.Shell.WaitAsync($"pod/{before.Name}", "condition=Ready");
        await guest.ReadyAsync();
        RunningPod after = await guest.ApplicationAsync();
        Assert.Equal(before.Name, after.Name);
        Assert.NotEqual(before.Container, after.Container);
        Assert.Equal(before.Limits.Replace(before.Container, after.Container), after.Limits);
        // The agent took its serving certificate from the store and asked for no other.
        Assert.Equal("open sesame", await guest.Shell.KubectlAsync("exec", before.Name, "--", "cat", "/secret/word"));
        Assert.Single(await guest.ServingRequestsAsync());
    });

    // The watchdog's own times would make this take ten minutes.
    private static Task WatchAsync(JoinedGuest guest, int limitOfPleg) => guest.Shell.MustAsync(
        $"mkdir -p -m 700 {StallFolder} && cd {StallFolder} && echo {limitOfPleg} >PLEG.limit && echo 10 >sync-loop.limit && echo 10 >worker-dispatch.limit && "
        + "mkdir -p /run/systemd/system/kubelet.service.d && "
        + $"printf '[Service]\nEnvironment=NODE_AGENT_TEST_STALL={StallFolder}\nWatchdogSec=10\nRestartSec=1\n' >/run/systemd/system/kubelet.service.d/90-watch.conf && "
        + "systemctl daemon-reload && systemctl restart kubelet");

    private static Task UnwatchAsync(JoinedGuest guest) =>
        guest.Shell.MustAsync($"rm -r /run/systemd/system/kubelet.service.d {StallFolder} && systemctl daemon-reload && systemctl restart kubelet");

    private static string BlockedFile(string loop) => $"{StallFolder}/{loop.Replace(' ', '-')}.blocked";

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
