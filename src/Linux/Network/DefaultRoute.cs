using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace NodeAgent.Linux.Network;

/// <summary>Finds the interfaces of default routes in the text of /proc/net/route and /proc/net/ipv6_route.</summary>
public static class DefaultRoute
{
    /// <summary>Interfaces with an IPv4 default route that is up, least metric first.</summary>
    public static IReadOnlyList<string> InterfacesV4(string procNetRoute)
    {
        List<(long Metric, string Name)> found = [];
        foreach (string line in procNetRoute.Split('\n').Skip(1))
        {
            string[] f = line.Split('\t', StringSplitOptions.TrimEntries);
            if (f.Length >= 8 && f[1] == "00000000" && f[7] == "00000000" && (Hex(f[3]) & 1) != 0)
            {
                found.Add((long.Parse(f[6], CultureInfo.InvariantCulture), f[0]));
            }
        }

        return [.. found.OrderBy(x => x.Metric).Select(x => x.Name).Distinct()];
    }

    /// <summary>Interfaces with an IPv6 default route that is up, least metric first; the loopback's reject route is left out.</summary>
    public static IReadOnlyList<string> InterfacesV6(string procNetIPv6Route)
    {
        List<(long Metric, string Name)> found = [];
        foreach (string line in procNetIPv6Route.Split('\n'))
        {
            string[] f = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (f.Length >= 10 && f[0].All(c => c == '0') && f[1] == "00" && (Hex(f[8]) & 0x201) == 1 && f[9] != "lo")
            {
                found.Add((Hex(f[5]), f[9]));
            }
        }

        return [.. found.OrderBy(x => x.Metric).Select(x => x.Name).Distinct()];
    }

    private static long Hex(string text) => long.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}

/// <summary>Addresses of this host's interfaces, as the node's address rules need them.</summary>
public interface IHostNetwork
{
    /// <summary>All unicast addresses of all interfaces.</summary>
    IReadOnlyList<IPAddress> AllAddresses();

    /// <summary>The first global address of the given family on an interface with a default route; null where there is none.</summary>
    IPAddress? DefaultRouteAddress(AddressFamily family);

    /// <summary>Addresses the resolver gives for a name; empty where it knows none.</summary>
    IReadOnlyList<IPAddress> Resolve(string hostName);
}

/// <summary>The real host.</summary>
public sealed class HostNetwork : IHostNetwork
{
    /// <inheritdoc/>
    public IReadOnlyList<IPAddress> AllAddresses() => [.. InterfaceAddresses.Read().Select(a => a.Address)];

    /// <inheritdoc/>
    public IPAddress? DefaultRouteAddress(AddressFamily family)
    {
        string file = family == AddressFamily.InterNetwork ? "/proc/net/route" : "/proc/net/ipv6_route";
        string text = File.Exists(file) ? File.ReadAllText(file) : "";
        IReadOnlyList<string> names = family == AddressFamily.InterNetwork ? DefaultRoute.InterfacesV4(text) : DefaultRoute.InterfacesV6(text);
        IReadOnlyList<InterfaceAddress> all = InterfaceAddresses.Read();
        return names.SelectMany(n => all.Where(a => a.Interface == n))
            .Select(a => a.Address)
            .FirstOrDefault(a => a.AddressFamily == family && IsGlobal(a));
    }

    /// <inheritdoc/>
    public IReadOnlyList<IPAddress> Resolve(string hostName)
    {
        try
        {
            return Dns.GetHostAddresses(hostName);
        }
        catch (SocketException)
        {
            return [];
        }
    }

    /// <summary>Neither loopback, link-local, multicast nor unspecified.</summary>
    public static bool IsGlobal(IPAddress address) =>
        !IPAddress.IsLoopback(address) && !address.IsIPv6LinkLocal && !address.IsIPv6Multicast
        && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any)
        && !(address.AddressFamily == AddressFamily.InterNetwork && IsSpecialV4(address.GetAddressBytes()));

    private static bool IsSpecialV4(byte[] bytes) => (bytes[0] == 169 && bytes[1] == 254) || (bytes[0] & 0xF0) == 0xE0 || bytes.All(b => b == 255);
}
