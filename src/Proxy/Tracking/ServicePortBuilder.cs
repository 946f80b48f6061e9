using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Proxy.Tracking;

/// <summary>Derives a family's service ports from a Service. Pure. Source: pkg/proxy/serviceport.go, servicechangetracker.go.</summary>
public static class ServicePortBuilder
{
    private const int DefaultStickySeconds = 10800;

    /// <summary>The ports the family has rules for; empty where the Service has no cluster IP of the family.</summary>
    public static ImmutableArray<ServicePort> Build(Service service, IPFamily family)
    {
        ServiceSpec? spec = service.Spec;
        if (spec is null || spec.Type == "ExternalName" || spec.ClusterIP is null or "" or "None" || ClusterIP(spec, family) is not { } clusterIP)
        {
            return [];
        }

        var name = new ServiceName(service.Metadata.Namespace ?? "", service.Metadata.Name ?? "");
        ImmutableArray<string> externalIPs = Addresses(spec.ExternalIPs, family);
        bool external = spec.Type is "LoadBalancer" or "NodePort" || (spec.Type is null or "ClusterIP" && externalIPs.Length > 0);
        bool externalLocal = external && spec.ExternalTrafficPolicy == "Local";
        return
        [
            .. spec.Ports.Select(port => new ServicePort
            {
                Name = new ServicePortName(name, port.Name ?? "", (port.Protocol ?? "TCP").ToLowerInvariant()),
                ClusterIP = clusterIP,
                Port = port.Port,
                NodePort = port.NodePort ?? 0,
                ExternalIPs = externalIPs,
                LoadBalancerVips = Vips(service, family),
                SourceRanges = SourceRanges(spec, family),
                HealthCheckNodePort = spec.Type == "LoadBalancer" && externalLocal ? spec.HealthCheckNodePort ?? 0 : 0,
                StickySeconds = spec.SessionAffinity == "ClientIP" ? spec.SessionAffinityConfig?.ClientIP?.TimeoutSeconds ?? DefaultStickySeconds : 0,
                ExternalLocal = externalLocal,
                InternalLocal = spec.InternalTrafficPolicy == "Local",
            }),
        ];
    }

    private static string? ClusterIP(ServiceSpec spec, IPFamily family)
    {
        for (int i = 0; i < spec.IpFamilies.Count && i < spec.ClusterIPs.Count; i++)
        {
            if (spec.IpFamilies[i] == family.ToString())
            {
                return Canonical(spec.ClusterIPs[i], family);
            }
        }

        return spec.IpFamilies.Count == 0 ? Canonical(spec.ClusterIP, family) : null;
    }

    private static ImmutableArray<string> Addresses(IEnumerable<string> texts, IPFamily family) =>
        [.. texts.Select(t => Canonical(t, family)).OfType<string>()];

    private static ImmutableArray<string> Vips(Service service, IPFamily family) => service.Status?.LoadBalancer is not { } lb
        ? []
        : Addresses(lb.Ingress.Where(i => i.IpMode is null or "VIP").Select(i => i.Ip ?? ""), family);

    /// <summary>A range of everything means no ranges at all.</summary>
    private static ImmutableArray<string> SourceRanges(ServiceSpec spec, IPFamily family)
    {
        var ranges = new List<string>();
        foreach (string text in spec.LoadBalancerSourceRanges)
        {
            if (!TryCidr(text.Trim(), family, out string? range, out bool everything))
            {
                continue;
            }

            if (everything)
            {
                return [];
            }

            ranges.Add(range!);
        }

        return [.. ranges];
    }

    private static bool TryCidr(string text, IPFamily family, out string? range, out bool everything)
    {
        (range, everything) = (null, false);
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || Canonical(text[..slash], family) is not { } ip || !int.TryParse(text.AsSpan(slash + 1), out int bits)
            || bits < 0 || bits > (family == IPFamily.IPv4 ? 32 : 128))
        {
            return false;
        }

        (range, everything) = ($"{ip}/{bits}", bits == 0);
        return true;
    }

    /// <summary>The address in canonical text, or null where it is none of the family. What is not an address never reaches a rule.</summary>
    public static string? Canonical(string? text, IPFamily family) =>
        SloppyAddress.TryParse(text?.Trim(), out IPAddress ip)
        && ip.AddressFamily == (family == IPFamily.IPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6)
            ? ip.ToString()
            : null;
}
