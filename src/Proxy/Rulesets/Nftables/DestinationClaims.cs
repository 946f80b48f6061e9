using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>
/// Who answers on a destination where several service ports want it (external IPs are not checked by the API server): a cluster IP
/// before others, then the first by name. A map can hold a key but once.
/// </summary>
internal sealed class DestinationClaims
{
    private readonly Dictionary<NftKey, Claimant> _owners = [];
    private readonly Dictionary<NftKey, List<Claimant>> _contested = [];

    public bool Owns(NftKey key, ServicePortName name) => _owners.TryGetValue(key, out Claimant owner) && owner.Name == name;

    /// <summary>Claims all destinations of a service port; whose rules change by it is added to <paramref name="affected"/>.</summary>
    public void Claim(ServicePort port, ISet<ServicePortName> affected)
    {
        bool first = true;
        foreach (NftKey key in NftServiceCompiler.Destinations(port))
        {
            Add(key, new Claimant(!first, port.Name), affected);
            first = false;
        }
    }

    /// <summary>Gives up all destinations of a service port.</summary>
    public void Release(ServicePort port, ISet<ServicePortName> affected)
    {
        foreach (NftKey key in NftServiceCompiler.Destinations(port))
        {
            Remove(key, port.Name, affected);
        }
    }

    private void Add(NftKey key, Claimant claim, ISet<ServicePortName> affected)
    {
        if (!_owners.TryGetValue(key, out Claimant owner) || owner.Name == claim.Name)
        {
            _owners[key] = claim;
            return;
        }

        if (!_contested.TryGetValue(key, out List<Claimant>? all))
        {
            _contested[key] = all = [owner];
        }

        all.Add(claim);
        Decide(key, all, owner, affected);
    }

    private void Remove(NftKey key, ServicePortName name, ISet<ServicePortName> affected)
    {
        if (!_contested.TryGetValue(key, out List<Claimant>? all))
        {
            if (Owns(key, name))
            {
                _owners.Remove(key);
            }

            return;
        }

        all.RemoveAll(c => c.Name == name);
        Decide(key, all, _owners[key], affected);
        if (all.Count == 1)
        {
            _contested.Remove(key);
        }
    }

    private void Decide(NftKey key, List<Claimant> all, Claimant owner, ISet<ServicePortName> affected)
    {
        Claimant best = all.Min();
        _owners[key] = best;
        if (best.Name != owner.Name)
        {
            affected.Add(best.Name);
            affected.Add(owner.Name);
        }
    }

    private readonly record struct Claimant(bool External, ServicePortName Name) : IComparable<Claimant>
    {
        public int CompareTo(Claimant other) => External != other.External ? External.CompareTo(other.External) : Name.CompareTo(other.Name);
    }
}
