using System.Net;
using System.Net.Sockets;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Containers;

/// <summary>The variables a Service gives. Pure. Source: pkg/kubelet/envvars/envvars.go.</summary>
internal static class ServiceEnvironment
{
    public static IEnumerable<(string Name, string Value)> Of(Service service)
    {
        if (service.Spec.ClusterIP is not { Length: > 0 } ip || ip == "None" || service.Spec.Ports.Count == 0)
        {
            yield break;
        }

        string name = Upper(service.Metadata.Name ?? "");
        string host = IPAddress.TryParse(ip, out IPAddress? a) && a.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{ip}]" : ip;
        yield return ($"{name}_SERVICE_HOST", ip);
        yield return ($"{name}_SERVICE_PORT", $"{service.Spec.Ports[0].Port}");
        foreach (ServicePort p in service.Spec.Ports.Where(p => p.Name is { Length: > 0 }))
        {
            yield return ($"{name}_SERVICE_PORT_{Upper(p.Name!)}", $"{p.Port}");
        }

        for (int i = 0; i < service.Spec.Ports.Count; i++)
        {
            ServicePort p = service.Spec.Ports[i];
            string protocol = p.Protocol ?? "TCP", lower = protocol.ToLowerInvariant();
            string prefix = $"{name}_PORT_{p.Port}_{protocol.ToUpperInvariant()}", url = $"{lower}://{host}:{p.Port}";
            if (i == 0)
            {
                yield return ($"{name}_PORT", url);
            }

            yield return (prefix, url);
            yield return ($"{prefix}_PROTO", lower);
            yield return ($"{prefix}_PORT", $"{p.Port}");
            yield return ($"{prefix}_ADDR", ip);
        }
    }

    private static string Upper(string name) => name.ToUpperInvariant().Replace('-', '_');
}
