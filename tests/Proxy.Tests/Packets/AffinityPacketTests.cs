using System.Diagnostics;
using NodeAgent.Harness.Networks;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>How long the kernel remembers a client. In ipvs mode its own memory of connections counts, see <see cref="IpvsPackets"/>.</summary>
public sealed class AffinityPacketTests
{
    private const int Seconds = 1, Rounds = 40;

    /// <summary>Each kind of rules, and each family where the rules differ by it.</summary>
    public static TheoryData<string, IPFamily> Modes
    {
        get
        {
            TheoryData<string, IPFamily> rows = [];
            foreach (string mode in PacketModes.All.Where(m => m != "ipvs"))
            {
                rows.Add(mode, IPFamily.IPv4);
                if (mode is "nftables" or "iptables-nft")
                {
                    rows.Add(mode, IPFamily.IPv6);
                }
            }

            return rows;
        }
    }

    [NetworkTheory]
    [MemberData(nameof(Modes))]
    public async Task A_client_that_stays_away_longer_than_the_time_of_affinity_is_spread_anew(string mode, IPFamily family)
    {
        using var net = new NodeNetwork(mode, family);
        net.Service(sticky: Seconds);
        net.Endpoints(local: true, remote: true);
        await net.ProgramAsync();
        string[] first = await AskAsync(net);
        int rounds = 0;
        string[] later;
        do
        {
            // Three clients of two endpoints: all stay where they were by chance in one of eight rounds.
            Assert.True(++rounds <= Rounds, $"after {rounds} rounds still {string.Join(", ", first)}");
            await PassAsync(TimeSpan.FromSeconds(Seconds) + TimeSpan.FromMilliseconds(100));
            later = await AskAsync(net);
        }
        while (first.SequenceEqual(later));
    }

    /// <summary>Which endpoint answers a pod, the node and a client outside.</summary>
    private static async Task<string[]> AskAsync(NodeNetwork net)
    {
        List<string> answers = [];
        foreach (NetworkNamespace client in (NetworkNamespace[])[net.Client, net.Node, net.Outside])
        {
            string answer = await client.AskTcpAsync(net.ClusterIP, 80);
            Assert.Contains(" sees ", answer, StringComparison.Ordinal);
            answers.Add(answer.Split(' ')[0]);
        }

        return [.. answers];
    }

    /// <summary>Waits by the clock that the kernel's memory goes by: neither stops nor jumps.</summary>
    private static async Task PassAsync(TimeSpan time)
    {
        for (long begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time;)
        {
            await Task.Delay(20);
        }
    }
}
