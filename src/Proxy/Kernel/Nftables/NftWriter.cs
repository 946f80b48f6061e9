using NodeAgent.Linux.Netlink.NfTables;
using NodeAgent.Proxy.Rulesets.Nftables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Nftables;

/// <summary>Writes changes of the model as nf_tables transactions.</summary>
internal sealed class NftWriter(IPFamily family)
{
    private static readonly string[] Hooks = ["prerouting", "input", "forward", "output", "postrouting"];
    private readonly NftFamily _family = Family(family);
    private readonly NftRuleWriter _rules = new(Family(family));

    public static NftFamily Family(IPFamily family) => family == IPFamily.IPv4 ? NftFamily.IPv4 : NftFamily.IPv6;

    public static NftHook? Hook(NftBaseHook? hook) => hook is null ? null : new NftHook(hook.Type, Array.IndexOf(Hooks, hook.Hook), hook.Priority);

    /// <summary>A change as one transaction.</summary>
    public NftBatch Write(NftChange change)
    {
        var batch = new NftBatch(_family, NftNames.Table, 256 + (change.Size * 96));
        if (change.ReplaceTable)
        {
            // Deleting needs a table; adding one that is there does nothing.
            batch.AddTable();
            batch.DeleteTable();
        }

        if (change.AddContainers)
        {
            batch.AddTable("rules for kube-proxy");
            foreach (NftContainer container in Enum.GetValues<NftContainer>())
            {
                batch.AddSet(NftContainers.Set(container, family));
            }
        }

        Chains(batch, change);
        foreach ((NftContainer container, NftKey key) in change.Delete)
        {
            batch.DeleteElement(NftText.Name(container), key.Bytes);
        }

        foreach (NftChain chain in change.Write)
        {
            foreach (NftRule rule in chain.Rules)
            {
                _rules.Write(batch, chain.Name, rule);
            }
        }

        Add(batch, change.Add);
        return batch;
    }

    /// <summary>Deletes what nothing points to.</summary>
    public NftBatch Remove(NftLeftovers leftovers)
    {
        var batch = new NftBatch(_family, NftNames.Table);
        foreach (string chain in leftovers.Chains)
        {
            batch.DeleteChain(chain);
        }

        foreach (string set in leftovers.Sets)
        {
            batch.DeleteSet(set);
        }

        return batch;
    }

    private static void Chains(NftBatch batch, NftChange change)
    {
        foreach (NftChain chain in change.Write)
        {
            batch.AddChain(chain.Name, Hook(chain.Hook), chain.Comment);
        }

        foreach (string chain in change.Write.Select(c => c.Name).Concat(change.Flush))
        {
            batch.FlushChain(chain);
        }

        foreach (string set in change.RenewAffinity)
        {
            batch.DeleteSet(set);
        }

        foreach (NftAffinitySet set in change.AddAffinity)
        {
            batch.AddSet(new NftSet(set.Name, NftType.Address(batch.Family))
            {
                Flags = NftSetFlags.Dynamic | NftSetFlags.Timeout,
                Timeout = TimeSpan.FromSeconds(set.Seconds),
                UserData = NftContainers.PlainSet,
            });
        }
    }

    /// <summary>Elements of one map behind one another: they share messages.</summary>
    private static void Add(NftBatch batch, List<NftElement> elements)
    {
        foreach (NftContainer container in Enum.GetValues<NftContainer>())
        {
            string name = NftText.Name(container);
            foreach (NftElement element in elements)
            {
                if (element.Container != container)
                {
                    continue;
                }

                if (element.Value.IsVerdict)
                {
                    batch.AddVerdictElement(name, element.Key.Bytes, element.Value.Chain, element.Comment);
                }
                else
                {
                    batch.AddElement(name, element.Key.Bytes, element.Value.Endpoint is { } to ? to.ToData() : default(ReadOnlySpan<byte>), element.Comment);
                }
            }
        }
    }
}
