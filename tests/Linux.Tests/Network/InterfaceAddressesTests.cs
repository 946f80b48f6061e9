using System.Net;
using System.Net.NetworkInformation;
using NodeAgent.Linux.Network;

namespace NodeAgent.Linux.Tests.Network;

public sealed class InterfaceAddressesTests
{
    [Fact]
    public void They_are_those_that_the_framework_finds()
    {
        string[] expected = [.. NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(i => i.GetIPProperties().UnicastAddresses.Select(a => $"{i.Name} {new IPAddress(a.Address.GetAddressBytes())}"))];
        string[] found = [.. InterfaceAddresses.Read().Select(a => $"{a.Interface} {a.Address}")];
        // Other tests of this machine make and remove interfaces meanwhile; the loopback stays.
        Assert.Contains("lo 127.0.0.1", found);
        Assert.Equal(expected.Where(a => a.StartsWith("lo ", StringComparison.Ordinal)).Order(), found.Where(a => a.StartsWith("lo ", StringComparison.Ordinal)).Order());
        Assert.NotEmpty(expected.Intersect(found));
    }
}
