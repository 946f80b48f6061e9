using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Proxy.Tracking;

/// <summary>What changed since the last time a backend took its changes.</summary>
/// <param name="Full">Everything is to be looked at.</param>
/// <param name="Services">Services with a change, where not everything is.</param>
public sealed record ProxyChanges(bool Full, IReadOnlySet<ServiceName> Services);

/// <summary>How many changes there were, and how many no backend took yet.</summary>
public readonly record struct ChangeCounts(long Services, long Slices, int ServicesPending, int SlicesPending);

/// <summary>
/// The Services and slices as the watches have them, for one family, and the names that changed since they were last taken.
/// One writer for each watch; a backend takes a consistent view under the lock.
/// </summary>
public sealed class ProxyState(IPFamily family)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ServiceName, ImmutableArray<ServicePort>> _services = [];
    private readonly Dictionary<ServiceName, ImmutableSortedDictionary<string, SliceState>> _slices = [];
    private Dictionary<ServiceName, List<DateTimeOffset>> _triggers = [];
    private readonly List<DateTimeOffset> _triggersTaken = [];
    private HashSet<ServiceName> _changed = [];
    private bool _full = true;
    private bool _udpChanged;
    private bool _udpTaken;
    private string? _zone;
    private ChangeCounts _counts;

    /// <summary>Counts of changes.</summary>
    public ChangeCounts Counts
    {
        get
        {
            lock (_lock)
            {
                return _counts;
            }
        }
    }

    /// <summary>The family.</summary>
    public IPFamily Family => family;

    /// <summary>Changes of endpoints from before are not measured: they were programmed by an earlier process, or never.</summary>
    public DateTimeOffset Started { get; init; } = DateTimeOffset.MinValue;

    /// <summary>The node's zone label.</summary>
    public string? Zone
    {
        get
        {
            lock (_lock)
            {
                return _zone;
            }
        }
    }

    /// <summary>A Service came or changed.</summary>
    public void SetService(Service service) => SetService(ServiceState.From(service));

    /// <summary>A Service came or changed.</summary>
    public void SetService(ServiceState service)
    {
        (ServiceName name, ImmutableArray<ServicePort> ports) = (service.Name, service.Of(family));
        lock (_lock)
        {
            if (ports.IsEmpty ? _services.Remove(name) : Store(name, ports))
            {
                ServiceChanged(name);
            }
        }
    }

    private bool Store(ServiceName name, ImmutableArray<ServicePort> ports)
    {
        _services[name] = ports;
        return true;
    }

    private void ServiceChanged(ServiceName name)
    {
        _changed.Add(name);
        _counts = _counts with { Services = _counts.Services + 1, ServicesPending = _counts.ServicesPending + 1 };
    }

    private void SliceChanged(ServiceName name, bool udp)
    {
        _changed.Add(name);
        _udpChanged |= udp;
        _counts = _counts with { Slices = _counts.Slices + 1, SlicesPending = _counts.SlicesPending + 1 };
    }

    /// <summary>A Service is gone.</summary>
    public void RemoveService(ServiceName name)
    {
        lock (_lock)
        {
            if (_services.Remove(name))
            {
                ServiceChanged(name);
            }
        }
    }

    /// <summary>A slice came or changed; slices of another family are ignored.</summary>
    public void SetSlice(SliceState slice)
    {
        if (slice.Family != family)
        {
            return;
        }

        lock (_lock)
        {
            var slices = _slices.GetValueOrDefault(slice.Service, ImmutableSortedDictionary<string, SliceState>.Empty);
            slices.TryGetValue(slice.Name, out SliceState? before);
            bool udp = HasUdp(slice) || (before is not null && HasUdp(before));
            if (slice.Triggered is { } triggered && triggered > Started && before?.Triggered != triggered)
            {
                (_triggers.TryGetValue(slice.Service, out List<DateTimeOffset>? times) ? times : _triggers[slice.Service] = []).Add(triggered);
            }

            _slices[slice.Service] = slices.SetItem(slice.Name, slice);
            SliceChanged(slice.Service, udp);
        }
    }

    /// <summary>A slice is gone.</summary>
    public void RemoveSlice(SliceState slice)
    {
        lock (_lock)
        {
            if (slice.Family == family && _slices.TryGetValue(slice.Service, out var slices))
            {
                _triggers.Remove(slice.Service);
                slices = slices.Remove(slice.Name);
                if (slices.IsEmpty)
                {
                    _slices.Remove(slice.Service);
                }
                else
                {
                    _slices[slice.Service] = slices;
                }

                SliceChanged(slice.Service, HasUdp(slice));
            }
        }
    }

    /// <summary>The node's zone; a change concerns every Service.</summary>
    public void SetZone(string? zone)
    {
        lock (_lock)
        {
            _full |= _zone != zone;
            _zone = zone;
        }
    }

    /// <summary>Everything is to be looked at next time.</summary>
    public void RequestFull()
    {
        lock (_lock)
        {
            _full = true;
        }
    }

    /// <summary>Takes the changes; they are to be given back where programming fails.</summary>
    public ProxyChanges Take()
    {
        lock (_lock)
        {
            var changes = new ProxyChanges(_full, _changed);
            (_full, _changed) = (false, []);
            (_udpTaken, _udpChanged) = (_udpTaken || _udpChanged, false);
            _counts = _counts with { ServicesPending = 0, SlicesPending = 0 };
            _triggersTaken.AddRange(_triggers.Values.SelectMany(t => t));
            _triggers = [];
            return changes;
        }
    }

    /// <summary>When the changes of endpoints happened that were taken and are programmed now; each is told once.</summary>
    public IReadOnlyList<DateTimeOffset> TakeTriggers()
    {
        lock (_lock)
        {
            DateTimeOffset[] taken = [.. _triggersTaken];
            _triggersTaken.Clear();
            return taken;
        }
    }

    /// <summary>True once where the changes taken so far touched endpoints of a UDP port.</summary>
    public bool TakeUdpChange()
    {
        lock (_lock)
        {
            bool taken = _udpTaken;
            _udpTaken = false;
            return taken;
        }
    }

    private static bool HasUdp(SliceState slice) => slice.Ports.Any(p => p.Protocol == "udp");

    /// <summary>True while a change waits to be taken.</summary>
    public bool HasChanges
    {
        get
        {
            lock (_lock)
            {
                return _full || _changed.Count > 0;
            }
        }
    }

    /// <summary>All Services with ports of the family.</summary>
    public IReadOnlyList<ServiceName> Services
    {
        get
        {
            lock (_lock)
            {
                return [.. _services.Keys];
            }
        }
    }

    /// <summary>A Service's ports with their endpoints; empty where it is gone.</summary>
    public ImmutableArray<(ServicePort Port, ImmutableArray<Endpoint> Endpoints)> Of(ServiceName name)
    {
        ImmutableArray<ServicePort> ports;
        ImmutableSortedDictionary<string, SliceState>? slices;
        lock (_lock)
        {
            ports = _services.GetValueOrDefault(name, []);
            _slices.TryGetValue(name, out slices);
        }

        return [.. ports.Select(p => (p, slices is null ? [] : SliceState.Merge(slices.Values, p.Name)))];
    }

    /// <summary>Services with a health check node port, and how many distinct addresses on this node are ready for each.</summary>
    public IReadOnlyList<Health.ServiceHealth> HealthChecks()
    {
        List<(ServiceName Name, int Port)> found = [];
        lock (_lock)
        {
            foreach ((ServiceName name, ImmutableArray<ServicePort> ports) in _services)
            {
                if (ports.FirstOrDefault(p => p.HealthCheckNodePort != 0) is { } port)
                {
                    found.Add((name, port.HealthCheckNodePort));
                }
            }
        }

        return [.. found.Select(f => new Health.ServiceHealth(
            f.Name, f.Port, Of(f.Name).SelectMany(p => p.Endpoints).Where(e => e is { IsLocal: true, Ready: true }).Select(e => e.Address).Distinct().Count()))];
    }
}
