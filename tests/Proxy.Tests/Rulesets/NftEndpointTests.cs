using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Proxy.Rulesets.Nftables;

namespace NodeAgent.Proxy.Tests.Rulesets;

public sealed class NftEndpointTests
{
    private static readonly Arbitrary<(int[] Before, int[] Wanted)> Numbers =
        Gen.Choose(0, 12).ArrayOf().SelectMany(before => Gen.Choose(0, 12).ArrayOf().Select(wanted => (before.Distinct().ToArray(), wanted))).ToArbitrary();

    [Fact]
    public void Each_wanted_endpoint_gets_one_slot_and_those_that_can_stay_keep_theirs() => Prop.ForAll(Numbers, numbers =>
    {
        ImmutableArray<NftEndpoint> before = [.. numbers.Before.Select(Endpoint)], wanted = [.. numbers.Wanted.Select(Endpoint)];
        ImmutableArray<NftEndpoint> after = NftEndpoint.Assign(before, wanted);
        Assert.Equal(wanted.Distinct().Order(), after.Order());
        for (int slot = 0; slot < Math.Min(before.Length, after.Length); slot++)
        {
            Assert.True(after[slot] == before[slot] || !wanted.Contains(before[slot]), $"slot {slot} lost {before[slot].Address}");
        }

        // What is new comes in order.
        NftEndpoint[] fresh = [.. after.Where((e, slot) => slot >= before.Length || before[slot] != e)];
        Assert.Equal(fresh.Order(), fresh);
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("10.244.3.7", 8080)]
    [InlineData("255.255.255.255", 65535)]
    [InlineData("fd00:10:244::7", 53)]
    [InlineData("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", 1)]
    public void An_endpoint_is_the_same_after_a_way_through_the_kernel(string address, int port)
    {
        NftEndpoint endpoint = new(address, port), read = NftEndpoint.FromData(endpoint.ToData());
        Assert.Equal(endpoint, read);
        Assert.Equal((address, port, address.Contains(':', StringComparison.Ordinal) ? 16 : 4), (read.Address, read.Port, read.AddressLength));
    }

    [Fact]
    public void Endpoints_are_ordered_by_address_then_port()
    {
        NftEndpoint[] ordered =
        [
            new("10.0.0.9", 80), new("10.0.0.9", 443), new("10.0.0.10", 80), new("192.0.2.1", 1), new("fd00::1", 9), new("fd00::1:0:0:1", 1), new("fd01::", 1),
        ];
        Assert.Equal(ordered, ordered.Reverse().Order());
    }

    private static NftEndpoint Endpoint(int number) => new($"10.0.{number % 3}.{number}", 80 + (number % 2));
}
