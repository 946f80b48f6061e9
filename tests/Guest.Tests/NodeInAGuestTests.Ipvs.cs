using System.Text;
using System.Text.RegularExpressions;
using NodeAgent.Harness.Host;

namespace NodeAgent.Guest.Tests;

public sealed partial class NodeInAGuestTests
{
    // Two pods of the node's own making and a client outside, each in a network namespace; socat answers with the namespace's name.
    private const string Networks = """
        set -e
        number=0
        for name in one two out; do
            number=$((number + 1))
            ip netns add "$name"
            ip link add "v$name" type veth peer name eth0 netns "$name"
            ip address add "10.99.$number.1/24" dev "v$name"
            ip link set "v$name" up
            ip -n "$name" link set lo up
            ip -n "$name" address add "10.99.$number.2/24" dev eth0
            ip -n "$name" link set eth0 up
            ip -n "$name" route add default via "10.99.$number.1"
        done
        for name in one two; do
            systemd-run --quiet --unit "answer-$name" ip netns exec "$name" socat TCP-LISTEN:8080,fork,reuseaddr "SYSTEM:echo $name"
        done
        """;

    private const string Services = """
        apiVersion: v1
        kind: Service
        metadata: {name: both}
        spec: {type: NodePort, clusterIP: 10.96.99.1, ports: [{port: 80, nodePort: 30099}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: sticky}
        spec: {clusterIP: 10.96.99.2, sessionAffinity: ClientIP, ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: none}
        spec: {clusterIP: 10.96.99.3, ports: [{port: 80}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: both-1, labels: {kubernetes.io/service-name: both}}
        addressType: IPv4
        ports: [{name: "", port: 8080, protocol: TCP}]
        endpoints: [{addresses: [10.99.1.2], nodeName: guest1}, {addresses: [10.99.2.2], nodeName: guest1}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: sticky-1, labels: {kubernetes.io/service-name: sticky}}
        addressType: IPv4
        ports: [{name: "", port: 8080, protocol: TCP}]
        endpoints: [{addresses: [10.99.1.2], nodeName: guest1}, {addresses: [10.99.2.2], nodeName: guest1}]
        """;

    [GuestFact]
    public Task The_proxy_in_ipvs_mode_balances_refuses_keeps_clients_and_cleans_up_what_it_made() => KeepingAsync(async guest =>
    {
        GuestShell shell = guest.Shell;
        await shell.ApplyAsync(Services);
        await shell.MustAsync(Networks);
        string administrator = Convert.ToBase64String(Encoding.UTF8.GetBytes(shell.AdministratorsKubeconfig));
        await shell.MustAsync($"echo {administrator} | base64 -d >/run/proxy.conf && systemd-run --quiet --unit ipvs-proxy kube-proxy --kubeconfig=/run/proxy.conf "
            + $"--hostname-override={JoinedGuest.Node} --proxy-mode=ipvs --ipvs-tcp-timeout=15m --bind-address-hard-fail");
        // The rules are written last: once they are there, everything is.
        await Until.HoldsAsync("the proxy has programmed", Patience, async () =>
            (await shell.RunAsync("iptables -t nat -S KUBE-SERVICES | grep -q 'KUBE-CLUSTER-IP dst,dst -j ACCEPT' && ip -o address show kube-ipvs0 | grep -q 10.96.99.3")).ExitCode == 0);

        // From outside, round robin; from the node itself; at the node port of one of the node's addresses.
        Assert.Equal("one two", await AskAsync(shell, "ip netns exec out", "10.96.99.1:80"));
        Assert.Equal("one two", await AskAsync(shell, "", "10.96.99.1:80"));
        Assert.Equal("one two", await AskAsync(shell, "ip netns exec out", "10.99.3.1:30099"));
        Assert.Contains(await AskAsync(shell, "ip netns exec out", "10.96.99.2:80"), new[] { "one", "two" });
        Assert.Contains("refused", (await shell.RunAsync("ip netns exec out socat - TCP:10.96.99.3:80,connect-timeout=60")).Error, StringComparison.Ordinal);
        // A port of the node that is no Service's does not answer on a Service's address: here the kubelet's.
        Assert.Contains("refused", (await shell.RunAsync("ip netns exec out socat - TCP:10.96.99.1:10250,connect-timeout=60")).Error, StringComparison.Ordinal);
        Assert.Equal("ipvs", await shell.MustAsync("busybox wget -qO- http://127.0.0.1:10249/proxyMode"));
        Assert.Equal("1 1", await shell.MustAsync("echo $(cat /proc/sys/net/ipv4/vs/conntrack /proc/sys/net/ipv4/vs/expire_nodest_conn)"));
        Assert.Contains("10.96.99.1,tcp:80", await shell.MustAsync("ipset save KUBE-CLUSTER-IP"), StringComparison.Ordinal);

        // An endpoint that goes has connections yet, which are closing: it stays with weight 0 and gets no new ones.
        await shell.KubectlAsync("patch", "endpointslice", "both-1", "--type=json", "-p", """[{"op": "remove", "path": "/endpoints/0"}]""");
        await Until.HoldsAsync("the endpoint drains", Patience, async () => Regex.IsMatch(await shell.MustAsync("cat /proc/net/ip_vs"), @"-> 0A630102:1F90 +Masq +0 +\d+ +[1-9]"));
        Assert.Equal("two", await AskAsync(shell, "ip netns exec out", "10.96.99.1:80"));

        await shell.MustAsync("systemctl stop ipvs-proxy 'answer-*'; kube-proxy --cleanup && rm /run/proxy.conf && for name in one two out; do ip netns del $name; done");
        Assert.Equal("0", await shell.MustAsync("grep -c -e ^TCP -e ^UDP /proc/net/ip_vs || true"));
        Assert.Equal("", await shell.MustAsync("ipset list -name; ip -o link show type dummy; { iptables-save; ip6tables-save; } | grep KUBE- | grep -v -e KUBE-FIREWALL -e KUBELET || true"));
        await shell.KubectlAsync("delete", "service/both", "service/sticky", "service/none", "endpointslice/both-1", "endpointslice/sticky-1");
        await guest.ReadyAsync();
    });

    /// <summary>Who answers six connections, each once.</summary>
    private static async Task<string> AskAsync(GuestShell shell, string from, string service) => string.Join(' ', (await shell.MustAsync(
        $"for i in 1 2 3 4 5 6; do {from} socat -t 60 -u TCP:{service},connect-timeout=60 -; done")).Split('\n').Distinct().Order(StringComparer.Ordinal));
}
