using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Proxy.LocalTraffic;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;
using NodeAgent.Testing;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>
/// What is programmed for the corpus, as files to be read in review: any change of a rule is a change of a file. After a wanted change
/// UPDATE_GOLDEN=1 writes them anew.
/// </summary>
public sealed class GoldenRulesetTests
{
    private static readonly string[] Shapes = ["iptables", "iptables-chains", "ipvs", "nftables"];
    private static readonly string[] Cases = ["every-kind", "every-kind-IPv6", "masquerade-all", "no-local-detector", "other-node", "terminating", "zone-hints"];

    public static TheoryData<string, string> Rulesets
    {
        get
        {
            TheoryData<string, string> rows = [];
            foreach (string shape in Shapes)
            {
                foreach (string @case in Cases)
                {
                    rows.Add(shape, @case);
                }
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rulesets))]
    public async Task Rules_of_the_corpus_are_those_of_the_file(string shape, string @case)
    {
        string file = Path.Combine(Folder(), $"{shape}-{@case}.txt"), text = await RenderAsync(shape, @case);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") is "1")
        {
            await File.WriteAllTextAsync(file, text);
        }

        Assert.Equal(await File.ReadAllTextAsync(file), text);
    }

    [Fact]
    public void Every_file_belongs_to_a_case() => Assert.Equal(
        Shapes.SelectMany(s => Cases.Select(c => $"{s}-{c}.txt")).Order(StringComparer.Ordinal),
        Directory.EnumerateFiles(Folder()).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

    private static async Task<string> RenderAsync(string shape, string @case)
    {
        IPFamily family = @case.EndsWith("IPv6", StringComparison.Ordinal) ? IPFamily.IPv6 : IPFamily.IPv4;
        ProxyState state = ClusterCorpus.State(family);
        Vary(state, @case);
        LocalTrafficDetector local = @case == "no-local-detector" ? LocalTrafficDetector.None : NftCorpus.Options(family).LocalTraffic;
        bool all = @case == "masquerade-all";
        if (shape == "nftables")
        {
            NftOptions nft = NftCorpus.Options(family) with { LocalTraffic = local, MasqueradeAll = all };
            List<NftChange> changes = [.. new NftRuleset(nft).Full(NftCorpus.Wanted(state), new NftObserved())];
            // Chains of one transaction come in any order.
            changes.ForEach(c => c.Write.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name)));
            return NftScript.From(changes, family);
        }

        if (shape == "ipvs")
        {
            (FakeIpvsKernel ipvs, FakeIptables rules) = (new(family), new());
            var ipvsOptions = new IpvsOptions { Family = family, LocalTraffic = local, MasqueradeAll = all, NodeIP = ClusterCorpus.Ip(family, 1, 9) };
            Assert.True(await new IpvsProxier(state, ipvsOptions, ipvs, rules, "node1", new FakeTimeProvider(), NullLogger<IpvsProxier>.Instance).SyncAsync(default));
            return ipvs.Text() + Assert.Single(rules.Inputs);
        }

        var options = new IptablesOptions
        {
            Family = family,
            LocalTraffic = local,
            MasqueradeAll = all,
            NodeIP = ClusterCorpus.Ip(family, 1, 9),
            LocalhostNodePorts = family == IPFamily.IPv4,
            DirectEndpoints = shape == "iptables",
        };
        var kernel = new FakeIptables();
        Assert.True(await new IptablesProxier(state, options, kernel, "node1", new FakeTimeProvider(), NullLogger<IptablesProxier>.Instance).SyncAsync(default));
        return Assert.Single(kernel.Inputs);
    }

    private static void Vary(ProxyState state, string @case)
    {
        if (@case is "terminating")
        {
            Change(state, "plain", 1, 3, (e, i) => e with { Ready = i != 0, Terminating = i == 0 });
            Change(state, "local", 6, 2, (e, i) => e with { Ready = i != 0, Terminating = i == 0 });
            Change(state, "one", 2, 1, (e, _) => e with { Ready = false, Terminating = true });
            Change(state, "inside", 8, 1, (e, _) => e with { Ready = false, Serving = false, Terminating = true });
        }
        else if (@case is "other-node")
        {
            // The first endpoint of each is where we are not.
            Change(state, "local", 6, 2, (e, _) => e with { IsLocal = false });
            Change(state, "inside", 8, 1, (e, _) => e with { IsLocal = false });
        }
        else if (@case is "zone-hints")
        {
            state.SetZone("a");
            Change(state, "plain", 1, 3, (e, i) => e with { ZoneHints = [i == 1 ? "a" : "b"] });
            Change(state, "node-port", 4, 2, (e, i) => e with { ZoneHints = [i == 1 ? "a" : "b"], NodeHints = [$"node{i + 1}"] });
            Change(state, "local", 6, 2, (e, i) => e with { ZoneHints = i == 0 ? [] : ["a"] });
        }
    }

    private static void Change(ProxyState state, string service, int number, int endpoints, Func<SliceEndpoint, int, SliceEndpoint> change)
    {
        SliceState slice = ClusterCorpus.Slice(state.Family, service, number, endpoints);
        state.SetSlice(slice with { Endpoints = [.. slice.Endpoints.Select(change)] });
    }

    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Golden");
}
