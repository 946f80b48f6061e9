using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Proxy.Health;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>The health check node port of a Service as a load balancer outside asks it.</summary>
public sealed class HealthCheckPacketTests
{
    private const int Port = 32123;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Modes by families.</summary>
    public static TheoryData<string, IPFamily> Rows => ServicePacketTests.ModesAndFamilies;

    [NetworkTheory]
    [MemberData(nameof(Rows))]
    public async Task It_counts_ready_local_endpoints_and_says_no_while_one_that_is_going_still_serves(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        // A host that takes nothing in but what is known: iptables mode opens the port, nftables mode leaves that to the firewall.
        string iptables = family == IPFamily.IPv4 ? "iptables" : "ip6tables";
        bool opens = mode != "nftables";
        string vip = net.Address("198.51.100.4", "fd00:198::4"), outside = net.Address("203.0.113.2", "fd00:203:113::2");
        net.Service(external: "Local", type: "LoadBalancer", vip: vip, change: s => s with { HealthCheckNodePort = Port });
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        if (opens)
        {
            iptables += mode == "ipvs" ? $"-{PacketModes.IptablesOfIpvs}" : mode == "iptables-legacy" ? "-legacy" : "-nft";
            net.Node.Exec(iptables, "-w", "-P", "INPUT", "DROP");
            if (net.IsIpvs)
            {
                // Services themselves are the node's own addresses here, which the firewall has to let in.
                net.Node.Exec(iptables, "-w", "-I", "INPUT", "-d", vip, "-j", "ACCEPT");
            }
        }

        await using ServiceHealthServers servers = new([family == IPFamily.IPv4 ? IPAddress.Any : IPAddress.IPv6Any], () => true,
            (_, message) => throw new InvalidOperationException(message), NullLogger<ServiceHealthServers>.Instance);
        await UpdateAsync(net, servers);
        string answer = await GetAsync(net);
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Contains("X-Load-Balancing-Endpoint-Weight: 1\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\"localEndpoints\": 1", answer, StringComparison.Ordinal);
        Assert.Equal($"local sees {outside}", await net.Outside.AskTcpAsync(vip, 80));

        net.Endpoints(local: true, remote: true, localTerminating: true);
        await net.ProgramAsync();
        await UpdateAsync(net, servers);
        answer = await GetAsync(net);
        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"localEndpoints\": 0", answer, StringComparison.Ordinal);
        Assert.Equal($"local sees {outside}", await net.Outside.AskTcpAsync(vip, 80));

        net.Service(external: "Cluster", type: "LoadBalancer", vip: vip);
        await net.ProgramAsync();
        await UpdateAsync(net, servers);
        Assert.Equal(opens ? "nothing" : "refused", await net.Outside.AskTcpAsync(net.Address("203.0.113.1", "fd00:203:113::1"), Port));
    }

    /// <summary>Sockets belong to the namespace of the thread that binds them, which Kestrel does on the caller's.</summary>
    private static Task UpdateAsync(NodeNetwork net, ServiceHealthServers servers) =>
        net.Node.Within(() => servers.UpdateAsync(net.State.HealthChecks(), CancellationToken.None)).WaitAsync(Patience);

    private static async Task<string> GetAsync(NodeNetwork net)
    {
        using Socket socket = net.Outside.Within(() => new Socket(net.State.Family == IPFamily.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp));
        using CancellationTokenSource limit = new(Patience);
        await socket.ConnectAsync(IPAddress.Parse(net.Address("203.0.113.1", "fd00:203:113::1")), Port, limit.Token);
        await socket.SendAsync("GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"u8.ToArray(), limit.Token);
        StringBuilder text = new();
        byte[] buffer = new byte[2048];
        for (int got; (got = await socket.ReceiveAsync(buffer, limit.Token)) > 0;)
        {
            text.Append(Encoding.UTF8.GetString(buffer, 0, got));
        }

        return text.ToString();
    }
}
