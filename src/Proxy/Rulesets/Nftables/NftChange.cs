using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>What one transaction does; its steps are carried out in the order of the members.</summary>
public sealed class NftChange
{
    /// <summary>The table is made anew, whatever was in it.</summary>
    public bool ReplaceTable { get; set; }
    /// <summary>The table, its shared sets and maps are made where they are not there.</summary>
    public bool AddContainers { get; set; }
    /// <summary>Chains that get these rules instead of those they have; made where they are not there.</summary>
    public List<NftChain> Write { get; } = [];
    /// <summary>Chains that lose their rules: nothing goes to them after this.</summary>
    public List<string> Flush { get; } = [];
    /// <summary>Affinity sets that are deleted, since their time changed.</summary>
    public List<string> RenewAffinity { get; } = [];
    /// <summary>Affinity sets that are made where they are not there.</summary>
    public List<NftAffinitySet> AddAffinity { get; } = [];
    /// <summary>Elements that go; their values do not matter.</summary>
    public List<(NftContainer Container, NftKey Key)> Delete { get; } = [];
    /// <summary>Elements that come.</summary>
    public List<NftElement> Add { get; } = [];

    /// <summary>Nothing is to be done.</summary>
    public bool IsEmpty => !ReplaceTable && !AddContainers && Write.Count + Flush.Count + RenewAffinity.Count + AddAffinity.Count + Delete.Count + Add.Count == 0;

    /// <summary>About how large it is: transactions of a full pass are cut by it.</summary>
    public int Size => Write.Count + Delete.Count + Add.Count;
}

/// <summary>What stays unused behind transactions: deleted when nothing in the kernel points to it any more.</summary>
/// <param name="Chains">Chains without rules.</param>
/// <param name="Sets">Affinity sets.</param>
public sealed record NftLeftovers(IReadOnlyCollection<string> Chains, IReadOnlyCollection<string> Sets)
{
    /// <summary>Nothing.</summary>
    public static NftLeftovers None { get; } = new([], []);
}

/// <summary>What the kernel has of a family's table before a full pass.</summary>
public sealed class NftObserved
{
    /// <summary>The table is there.</summary>
    public bool HasTable { get; init; }
    /// <summary>Something in the table has a kind that cannot be changed: the table has to be made anew.</summary>
    public bool IsForeign { get; init; }
    /// <summary>Names of all chains.</summary>
    public IReadOnlyCollection<string> Chains { get; init; } = [];
    /// <summary>Affinity sets and their seconds.</summary>
    public IReadOnlyDictionary<string, int> Affinity { get; init; } = new Dictionary<string, int>();
    /// <summary>Elements of the shared sets and maps; a full pass takes out of it what it wants.</summary>
    public Dictionary<NftContainer, Dictionary<NftKey, NftValue>> Elements { get; init; } = [];

    /// <summary>Endpoints the kernel has for a destination, by slot.</summary>
    public IEnumerable<NftEndpoint> Endpoints(NftContainer container, NftKey destination)
    {
        if (!Elements.TryGetValue(container, out Dictionary<NftKey, NftValue>? elements))
        {
            yield break;
        }

        for (int slot = 0; elements.TryGetValue(destination.Slot(slot), out NftValue value) && value.Endpoint is { } endpoint; slot++)
        {
            yield return endpoint;
        }
    }
}

/// <summary>A service port as it should be from now on.</summary>
/// <param name="Port">The port; null where it is gone.</param>
/// <param name="Chosen">Endpoints this node uses.</param>
public sealed record NftWanted(ServicePort? Port, Topology.CategorizedEndpoints? Chosen);
