using System.Collections.Immutable;
using System.Globalization;
using NodeAgent.Kubernetes.Objects;
using ApiEndpoint = NodeAgent.Kubernetes.Objects.Endpoint;

namespace NodeAgent.Proxy.Tracking;

/// <summary>A port of a slice.</summary>
/// <param name="Name">Port name, "" where unnamed.</param>
/// <param name="Protocol">tcp, udp or sctp.</param>
/// <param name="Port">Number.</param>
public readonly record struct SlicePort(string Name, string Protocol, int Port);


/// <summary>An endpoint of a slice without its port: fields as in <see cref="Endpoint"/>.</summary>
public sealed record SliceEndpoint(string Address, bool Ready, bool Serving, bool Terminating, bool IsLocal, ImmutableArray<string> ZoneHints, ImmutableArray<string> NodeHints);

/// <summary>What rules need of an EndpointSlice: kept instead of the object, since a large cluster has very many.</summary>
public sealed record SliceState
{
    private const string TriggerTime = "endpoints.kubernetes.io/last-change-trigger-time";

    /// <summary>The Service it belongs to.</summary>
    public required ServiceName Service { get; init; }
    /// <summary>The slice's name.</summary>
    public required string Name { get; init; }
    /// <summary>Its family.</summary>
    public required IPFamily Family { get; init; }
    /// <summary>Ports.</summary>
    public ImmutableArray<SlicePort> Ports { get; init; } = [];
    /// <summary>When what the slice says last changed, as the endpoint controller noted it; null where it did not.</summary>
    public DateTimeOffset? Triggered { get; init; }
    /// <summary>Endpoints, first address each.</summary>
    public ImmutableArray<SliceEndpoint> Endpoints { get; init; } = [];

    /// <summary>Reads a slice; null where it names no Service or is of no family that rules are made for.</summary>
    public static SliceState? From(EndpointSlice slice, string nodeName)
    {
        if (!slice.Metadata.Labels.TryGetValue("kubernetes.io/service-name", out string? service) || service.Length == 0
            || slice.Metadata.Namespace is not { Length: > 0 } ns || slice.Metadata.Name is not { Length: > 0 } name
            || slice.AddressType is not ("IPv4" or "IPv6"))
        {
            return null;
        }

        IPFamily family = slice.AddressType == "IPv4" ? IPFamily.IPv4 : IPFamily.IPv6;
        return new SliceState
        {
            Service = new ServiceName(ns, service),
            Name = name,
            Family = family,
            Triggered = slice.Metadata.Annotations.TryGetValue(TriggerTime, out string? text)
                && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at) ? at : null,
            Ports = [.. slice.Ports.Where(p => p.Name is not null && p.Port is > 0)
                .Select(p => new SlicePort(p.Name!, (p.Protocol ?? "TCP").ToLowerInvariant(), p.Port!.Value))],
            Endpoints = [.. slice.Endpoints.Select(e => Endpoint(e, family, nodeName)).OfType<SliceEndpoint>()],
        };
    }

    private static SliceEndpoint? Endpoint(ApiEndpoint e, IPFamily family, string nodeName) =>
        e.Addresses.Count == 0 || ServicePortBuilder.Canonical(e.Addresses[0], family) is not { } address ? null : new SliceEndpoint(
            address,
            e.Conditions?.Ready ?? true,
            e.Conditions?.Serving ?? true,
            e.Conditions?.Terminating ?? false,
            nodeName.Length > 0 && e.NodeName == nodeName,
            [.. e.Hints?.ForZones.Select(z => z.Name ?? "") ?? []],
            [.. e.Hints?.ForNodes.Select(n => n.Name ?? "") ?? []]);

    /// <summary>Endpoints of one port over all slices of a Service: of several with one address the living one counts; sorted.</summary>
    public static ImmutableArray<Endpoint> Merge(IEnumerable<SliceState> slices, ServicePortName port)
    {
        var found = new SortedDictionary<string, Endpoint>(StringComparer.Ordinal);
        foreach (SliceState slice in slices)
        {
            foreach (SlicePort p in slice.Ports)
            {
                if (p.Name != port.Port || p.Protocol != port.Protocol)
                {
                    continue;
                }

                foreach (SliceEndpoint e in slice.Endpoints)
                {
                    var endpoint = new Endpoint(e.Address, p.Port, e.Ready, e.Serving, e.Terminating, e.IsLocal, e.ZoneHints, e.NodeHints);
                    if (!found.TryGetValue(endpoint.Key, out Endpoint? known) || (!e.Terminating && (known.Terminating || !known.Ready)))
                    {
                        found[endpoint.Key] = endpoint;
                    }
                }
            }
        }

        return [.. found.Values];
    }
}
