using System.Net;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.Ipset;
using NodeAgent.Linux.Netlink.Ipvs;
using NodeAgent.Linux.Netlink.Links;

namespace NodeAgent.Linux.Tests.Netlink;

/// <summary>Messages byte for byte, laid out by hand from linux/ip_vs.h, linux/netfilter/ipset/ip_set.h and linux/rtnetlink.h; little-endian host.</summary>
public sealed class MessageBytesTests
{
    private static readonly IpvsServiceKey Web = new(IPAddress.Parse("10.96.0.1"), 80, 6), Dns6 = new(IPAddress.Parse("fd00::a"), 53, 17);

    // IPVS_CMD_ATTR_SERVICE: AF, PROTOCOL, ADDR (16 bytes in either family), PORT in network order.
    private const string WebKey = "0600 0100 0200 0000  0600 0200 0600 0000  1400 0300 0a600001 00000000 00000000 00000000  0600 0400 0050 0000";

    [Fact]
    public void A_message_has_the_general_header_and_that_of_its_family() => Assert.Equal(
        Bytes("14000000 1c00 0500 07000000 00000000  01 01 0000"),
        Written(w =>
        {
            w.Begin(0x1c, NetlinkFlags.Acknowledge, 7, [1, 1, 0, 0]);
            w.End();
        }));

    [Fact]
    public void A_virtual_server_is_named_by_family_protocol_address_and_port() =>
        Assert.Equal(Bytes($"3000 0180 {WebKey}"), Written(w => IpvsMessages.WriteKey(w, Web)));

    [Fact]
    public void A_persistent_virtual_server_has_scheduler_flags_with_mask_timeout_and_netmask() => Assert.Equal(
        Bytes($"5400 0180 {WebKey}  0700 0600 72720000  0c00 0700 01000000 ffffffff  0800 0800 302a0000  0800 0900 ffffffff"),
        Written(w => IpvsMessages.WriteService(w, new IpvsService(Web, "rr", 1, 10800))));

    [Fact]
    public void A_netmask_of_IPv6_is_its_length() => Assert.EndsWith(
        Convert.ToHexString(Bytes("0800 0900 80000000")), Convert.ToHexString(Written(w => IpvsMessages.WriteService(w, new IpvsService(Dns6, "rr", 0, 0)))), StringComparison.Ordinal);

    [Fact]
    public void A_real_server_is_reached_by_translation_without_thresholds() => Assert.Equal(
        Bytes("4800 0280  1400 0100 0af40005 00000000 00000000 00000000  0600 0200 1f90 0000  0800 0300 00000000  0800 0400 01000000  0800 0500 00000000  0800 0600 00000000  0600 0b00 0200 0000"),
        Written(w => IpvsMessages.WriteDestination(w, new IpvsDestination(IPAddress.Parse("10.244.0.5"), 8080, 1))));

    [Fact]
    public void Time_outs_are_seconds() => Assert.Equal(
        Bytes("0800 0400 84030000  0800 0500 78000000  0800 0600 00000000"), Written(w => IpvsMessages.WriteTimeouts(w, 900, 120, 0)));

    [Fact]
    public void What_is_written_of_a_service_is_read_again_without_the_kernels_own_flag()
    {
        var service = new IpvsService(Dns6, "mh", 0x11, 60);
        Assert.Equal(service, IpvsMessages.ReadService(Written(w => IpvsMessages.WriteService(w, service with { Flags = 0x13 }))));
    }

    [Fact]
    public void A_service_by_firewall_mark_is_none_of_ours() =>
        Assert.Null(IpvsMessages.ReadService(Bytes("1000 0180  0600 0100 0200 0000  0800 0500 01000000")));

    [Fact]
    public void Connections_of_a_real_server_are_the_active_and_the_inactive_ones() => Assert.Equal(
        new IpvsDestination(IPAddress.Parse("10.244.0.5"), 8080, 0, 7),
        IpvsMessages.ReadDestination(Bytes("3800 0280  1400 0100 0af40005 00000000 00000000 00000000  0600 0200 1f90 0000  0800 0400 00000000  0800 0700 05000000  0800 0800 02000000"), 2));

    [Fact]
    public void A_set_of_ports_spans_all_ports_and_belongs_to_no_family() => Assert.Equal(
        Bytes("0500 0100 06000000  0600 0200 5000 0000  1000 0300 6269746d61703a706f727400  0500 0400 03000000  0500 0500 00000000  1400 0780  0600 0440 0000 0000  0600 0540 ffff 0000"),
        Written(w => IpsetMessages.WriteCreate(w, "P", IpsetType.BitmapPort, 3, IpsetMessages.FamilyOf(IpsetType.BitmapPort, System.Net.Sockets.AddressFamily.InterNetworkV6))));

    [Fact]
    public void A_hash_has_room_for_65536_and_begins_with_1024() => Assert.Equal(
        Bytes("0500 0100 06000000  0600 0200 4100 0000  0c00 0300 686173683a697000  0500 0400 05000000  0500 0500 0a000000  1400 0780  0800 1240 00000400  0800 1340 00010000"),
        Written(w => IpsetMessages.WriteCreate(w, "A", IpsetType.HashIp, 5, 10)));

    [Fact]
    public void An_entry_with_a_network_has_address_port_protocol_network_and_length() => Assert.Equal(
        Bytes("0500 0100 06000000  0600 0200 4e00 0000  0800 0900 01000000  3800 0880 3400 0780"
            + " 0c00 0180 0800 0140 c0000909  0600 0440 0050 0000  0500 0700 06000000  0c00 1480 0800 0140 cb007100  0500 1500 18000000"),
        Written(w => IpsetMessages.WriteEntries(w, "N", IpsetType.HashIpPortNet, [new(IPAddress.Parse("192.0.9.9"), 6, 80, IPAddress.Parse("203.0.113.0"), 24)])));

    [Theory]
    [InlineData(IpsetType.BitmapPort, null, null)]
    [InlineData(IpsetType.HashIp, "10.96.0.1", null)]
    [InlineData(IpsetType.HashIpPort, "fd00::1", null)]
    [InlineData(IpsetType.HashIpPortIp, "10.244.0.1", "10.244.0.1")]
    [InlineData(IpsetType.HashIpPortNet, "fd00::1", "fd00:1::")]
    public void Entries_are_read_as_they_were_written(IpsetType type, string? address, string? second)
    {
        var entry = new IpsetEntry(
            address is null ? null : IPAddress.Parse(address), type is IpsetType.BitmapPort or IpsetType.HashIp ? (byte)0 : (byte)132,
            type == IpsetType.HashIp ? (ushort)0 : (ushort)30080, second is null ? null : IPAddress.Parse(second), type == IpsetType.HashIpPortNet ? (byte)64 : (byte)0);
        List<IpsetEntry> read = [];
        string kind = "as before";
        IpsetMessages.ReadList(Written(w => IpsetMessages.WriteEntries(w, "S", type, [entry, entry])), ref kind, read);
        Assert.Equal([entry, entry], read);
        Assert.Equal("as before", kind);
    }

    [Fact]
    public void A_link_is_a_dummy_by_its_kind() => Assert.Equal(
        Bytes("0f00 0300 6b7562652d697076733000 00  1000 1280 0a00 0100 64756d6d7900 0000"), Written(w => LinkConnection.WriteDummy(w, "kube-ipvs0")));

    [Fact]
    public void An_address_on_a_link_has_its_full_length_and_is_its_own_peer()
    {
        IPAddress address = IPAddress.Parse("10.96.0.1");
        Assert.Equal(Bytes("02 20 00 00 09000000"), LinkConnection.Address(9, address));
        Assert.Equal(Bytes("0a 80 00 00 09000000"), LinkConnection.Address(9, IPAddress.IPv6Loopback));
        Assert.Equal(Bytes("0800 0200 0a600001  0800 0100 0a600001"), Written(w => LinkConnection.WriteAddress(w, address)));
    }

    private static byte[] Written(Action<NetlinkWriter> write)
    {
        var writer = new NetlinkWriter();
        write(writer);
        return writer.Written.ToArray();
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
