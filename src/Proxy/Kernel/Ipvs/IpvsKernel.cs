using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.Ipset;
using NodeAgent.Linux.Netlink.Ipvs;
using NodeAgent.Linux.Netlink.Links;
using NodeAgent.Linux.Network;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Ipvs;

/// <summary>
/// Virtual servers over generic netlink, sets over netfilter netlink, the link and its addresses over rtnetlink: no program is run. In the
/// network namespace of the thread that makes it. One thread at a time.
/// </summary>
public sealed class IpvsKernel : IIpvsKernel
{
    /// <summary>The link that service addresses are on.</summary>
    public const string LinkName = "kube-ipvs0";

    private readonly IpvsConnection _ipvs;
    private readonly IpsetConnection _sets;
    private readonly LinkConnection _links;

    private IpvsKernel(IPFamily family, IpvsConnection ipvs)
    {
        (Family, _ipvs) = (family, ipvs);
        _sets = new IpsetConnection(NetlinkSocket.Open());
        _links = new LinkConnection(NetlinkSocket.Open(protocol: NetlinkProtocol.Route));
    }

    /// <inheritdoc/>
    public IPFamily Family { get; }

    private AddressFamily SocketFamily => Family == IPFamily.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;

    /// <summary>Opens the kernel's interfaces; null where it has no IPVS now.</summary>
    /// <exception cref="NetlinkException">Not permitted.</exception>
    public static IpvsKernel? Open(IPFamily family) =>
        IpvsConnection.Open(NetlinkSocket.Open(protocol: NetlinkProtocol.Generic)) is { } ipvs ? new IpvsKernel(family, ipvs) : null;

    /// <summary>Why a scheduler cannot be used; null where it can. Loads its module by a virtual server that is removed at once, unless one uses it already.</summary>
    public string? Refusal(string scheduler)
    {
        // An address for documentation, which no host has. Source: pkg/proxy/ipvs/supported.go.
        var probe = new IpvsService(new IpvsServiceKey(IPAddress.Parse("198.51.100.0"), 20000, Number("tcp")), scheduler, 0, 0);
        try
        {
            if (_ipvs.Services().All(s => s.Scheduler != scheduler))
            {
                _ipvs.Add(probe);
                _ipvs.Remove(probe.Key);
            }

            return null;
        }
        catch (NetlinkException e)
        {
            return $"ipvs.scheduler: \"{scheduler}\" cannot be used: {e.Message}; load its module ip_vs_{scheduler}, or choose another one such as rr";
        }
    }

    /// <summary>Sets how long idle connections live; zero leaves the kernel's value.</summary>
    /// <exception cref="NetlinkException">The kernel refuses.</exception>
    public void SetTimeouts(TimeSpan tcp, TimeSpan tcpFin, TimeSpan udp) => _ipvs.SetTimeouts(tcp, tcpFin, udp);

    /// <inheritdoc/>
    public IpvsObserved Read()
    {
        ImmutableSortedSet<string> Addresses(Func<InterfaceAddress, bool> which) => InterfaceAddresses.Read()
            .Where(a => a.Address.AddressFamily == SocketFamily && !IPAddress.IsLoopback(a.Address) && !a.Address.IsIPv6LinkLocal && which(a))
            .Select(a => a.Address.ToString()).ToImmutableSortedSet(StringComparer.Ordinal);
        return new IpvsObserved
        {
            Bound = _links.Find(LinkName) is null ? null : Addresses(a => a.Interface == LinkName),
            NodeAddresses = Addresses(a => a.Interface != LinkName),
            Servers = _ipvs.Services().Where(s => s.Key.Address.AddressFamily == SocketFamily && Name(s.Key.Protocol).Length > 0)
                .ToImmutableSortedDictionary(s => Key(s.Key), Observe),
            Sets = IpvsSets.All.Select(s => (Set: s, Name: IpvsSets.NameIn(Family, s.Name)))
                .Select(s => (s.Name, Entries: Entries(s.Set, s.Name))).Where(s => s.Entries is not null).ToImmutableDictionary(s => s.Name, s => s.Entries!),
        };
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Apply(IEnumerable<IpvsStep> steps)
    {
        List<string> problems = [];
        foreach (IpvsStep step in steps)
        {
            try
            {
                Do(step);
            }
            catch (NetlinkException e)
            {
                problems.Add($"{Describe(step)}: {e.Message}");
            }
        }

        return problems;
    }

    /// <summary>Closes the sockets.</summary>
    public void Dispose()
    {
        _ipvs.Dispose();
        _sets.Dispose();
        _links.Dispose();
    }

    private void Do(IpvsStep step)
    {
        switch (step)
        {
            case IpvsStep.MakeLink: _links.AddDummy(LinkName); break;
            case IpvsStep.MakeSet s: _sets.Create(s.Set, TypeOf(s.Kind), SocketFamily); break;
            case IpvsStep.AddEntries s: _sets.Add(s.Set, TypeOf(s.Kind), [.. s.Entries.Select(Encode)]); break;
            case IpvsStep.RemoveEntries s: _sets.Remove(s.Set, TypeOf(s.Kind), [.. s.Entries.Select(Encode)]); break;
            case IpvsStep.AddServer s: _ipvs.Add(Encode(s.Key, s.Server)); break;
            case IpvsStep.UpdateServer s: _ipvs.Update(Encode(s.Key, s.Server)); break;
            case IpvsStep.RemoveServer s: _ipvs.Remove(Encode(s.Key)); break;
            case IpvsStep.AddReal s: _ipvs.Add(Encode(s.Key), Encode(s.Real, 1)); break;
            case IpvsStep.SetWeight s: _ipvs.Update(Encode(s.Key), Encode(s.Real, s.Weight)); break;
            case IpvsStep.RemoveReal s: _ipvs.Remove(Encode(s.Key), Encode(s.Real, 0)); break;
            case IpvsStep.Bind s: _links.AddAddress(Link(), IPAddress.Parse(s.Address)); break;
            case IpvsStep.Unbind s: _links.RemoveAddress(Link(), IPAddress.Parse(s.Address)); break;
            default: throw new InvalidOperationException($"{step} is no step of this kernel");
        }
    }

    private int Link() => _links.Find(LinkName) ?? throw new NetlinkException($"link {LinkName}", Errno.ENODEV);

    private ObservedVirtualServer Observe(IpvsService service)
    {
        try
        {
            return new ObservedVirtualServer(
                new VirtualServer(service.Scheduler, service.Flags, service.Timeout),
                [.. _ipvs.Destinations(service.Key).Select(d => new ObservedRealServer(new RealServer(d.Address.ToString(), d.Port), (int)d.Weight, d.Connections))]);
        }
        catch (NetlinkException e) when (e.Errno is Errno.ESRCH or Errno.ENOENT)
        {
            // Somebody removed it since: it will be added where it is wanted.
            return new ObservedVirtualServer(new VirtualServer(service.Scheduler, service.Flags, service.Timeout), []);
        }
    }

    private ImmutableSortedSet<SetEntry>? Entries(IpvsSet set, string name)
    {
        if (_sets.List(name) is not { } listing)
        {
            return null;
        }

        string kind = IpsetConnection.NameOf(TypeOf(set.Kind));
        return listing.Type == kind ? listing.Entries.Select(Decode).ToImmutableSortedSet()
            : throw new NetlinkException($"ipset {name} is there as {listing.Type}, and {kind} is needed; destroy it, or rename what made it", 0);
    }

    private static IpsetType TypeOf(SetKind kind) => kind switch
    {
        SetKind.Port => IpsetType.BitmapPort,
        SetKind.Ip => IpsetType.HashIp,
        SetKind.IpPort => IpsetType.HashIpPort,
        SetKind.IpPortIp => IpsetType.HashIpPortIp,
        _ => IpsetType.HashIpPortNet,
    };

    private static IpsetEntry Encode(SetEntry e) => new(
        e.Address.Length == 0 ? null : IPAddress.Parse(e.Address), Number(e.Protocol), (ushort)e.Port, e.Second.Length == 0 ? null : IPAddress.Parse(e.Second), (byte)e.Prefix);

    private static SetEntry Decode(IpsetEntry e) => new(e.Address?.ToString() ?? "", Name(e.Protocol), e.Port, e.Second?.ToString() ?? "", e.SecondPrefix);

    private static IpvsService Encode(VirtualServerKey key, VirtualServer server) => new(Encode(key), server.Scheduler, server.Flags, server.Timeout);

    private static IpvsServiceKey Encode(VirtualServerKey key) => new(IPAddress.Parse(key.Address), (ushort)key.Port, Number(key.Protocol));

    private static VirtualServerKey Key(IpvsServiceKey key) => new(key.Address.ToString(), key.Port, Name(key.Protocol));

    private static IpvsDestination Encode(RealServer real, int weight) => new(IPAddress.Parse(real.Address), (ushort)real.Port, (uint)weight);

    private static byte Number(string protocol) => protocol switch { "tcp" => 6, "udp" => 17, "sctp" => 132, _ => 0 };

    private static string Name(byte protocol) => protocol switch { 6 => "tcp", 17 => "udp", 132 => "sctp", _ => "" };

    private static string Describe(IpvsStep step) => step switch
    {
        IpvsStep.MakeLink => $"link {LinkName} cannot be made (does the kernel have the module dummy?)",
        IpvsStep.MakeSet s => $"ipset {s.Set}",
        IpvsStep.AddEntries s => $"ipset {s.Set}, {s.Entries.Length} entries to add",
        IpvsStep.RemoveEntries s => $"ipset {s.Set}, {s.Entries.Length} entries to remove",
        IpvsStep.AddServer s => $"virtual server {s.Key}, to add with scheduler {s.Server.Scheduler}",
        IpvsStep.UpdateServer s => $"virtual server {s.Key}, to change",
        IpvsStep.RemoveServer s => $"virtual server {s.Key}, to remove",
        IpvsStep.AddReal s => $"virtual server {s.Key}, to add {s.Real.Address} port {s.Real.Port}",
        IpvsStep.SetWeight s => $"virtual server {s.Key}, weight {s.Weight} for {s.Real.Address} port {s.Real.Port}",
        IpvsStep.RemoveReal s => $"virtual server {s.Key}, to remove {s.Real.Address} port {s.Real.Port}",
        IpvsStep.Bind s => $"address {s.Address} for {LinkName}",
        IpvsStep.Unbind s => $"address {s.Address} of {LinkName}, to remove",
        _ => step.ToString(),
    };
}
