using System.Net;
using NodeAgent.Linux.Network;

namespace NodeAgent.Linux.Tests.Network;

public sealed class UntrustedConnectionsTests
{
    private readonly List<string> _closed = [];
    private readonly UntrustedConnections _connections = new(perAddress: 2, total: 4);

    [Fact]
    public void The_oldest_of_an_address_gives_way_to_its_newest()
    {
        Add("10.0.0.1", "a");
        Add("10.0.0.2", "b");
        Add("10.0.0.1", "c");
        Add("10.0.0.1", "d");
        Add("::ffff:10.0.0.1", "e");
        Assert.Equal(["a", "c"], _closed);
        Assert.Equal(3, _connections.Count);
    }

    [Fact]
    public void An_IPv6_network_counts_as_one_address()
    {
        Add("fd00::1", "a");
        Add("fd00::2", "b");
        Add("fd00:0:0:1::3", "c");
        Add("fd00::4", "d");
        Assert.Equal(["a"], _closed);
    }

    [Fact]
    public void The_oldest_of_all_gives_way_when_there_are_too_many()
    {
        for (int peer = 1; peer <= 6; peer++)
            Add($"10.0.0.{peer}", $"{peer}");
        Assert.Equal(["1", "2"], _closed);
        Assert.Equal(4, _connections.Count);
    }

    [Fact]
    public void What_is_trusted_or_has_ended_counts_no_more_and_is_not_closed()
    {
        UntrustedConnections.Connection trusted = Add("10.0.0.1", "trusted"), ended = Add("10.0.0.1", "ended");
        trusted.Trust();
        ended.Dispose();
        ended.Dispose();
        Add("10.0.0.1", "a");
        Add("10.0.0.1", "b");
        Assert.Empty(_closed);
        Assert.True(trusted.IsTrusted);
        Assert.Equal(2, _connections.Count);
        Add("10.0.0.1", "c");
        Assert.Equal(["a"], _closed);
        trusted.Dispose();
    }

    [Fact]
    public void With_room_for_one_each_comer_replaces_the_one_before()
    {
        UntrustedConnections one = new(perAddress: 1, total: 1);
        List<int> closed = [];
        for (int number = 0; number < 4; number++)
        {
            int mine = number;
            one.Add(IPAddress.Loopback, () => closed.Add(mine));
        }

        Assert.Equal([0, 1, 2], closed);
        Assert.Equal(1, one.Count);
    }

    private UntrustedConnections.Connection Add(string peer, string name) => _connections.Add(IPAddress.Parse(peer), () => _closed.Add(name));
}
