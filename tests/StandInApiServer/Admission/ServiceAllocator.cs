using System.Net;
using System.Text.Json.Nodes;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Admission;

/// <summary>Service defaults, cluster addresses (10.96.0.0/16) and node ports (30000-32767).</summary>
internal sealed class ServiceAllocator(ObjectStore store)
{
    public const string KubernetesAddress = "10.96.0.1";
    private const int FirstNodePort = 30000, LastNodePort = 32767;
    private int _nextAddress = 256;
    private int _nextPort = FirstNodePort + 100;

    public void OnCreate(JsonObject service)
    {
        JsonObject spec = service.Ensure("spec");
        string name = service.Text("metadata", "name") ?? "";
        Defaults(spec);
        Addresses(spec, name);
        NodePorts(service, spec, name);
    }

    public void OnUpdate(JsonObject old, JsonObject service)
    {
        JsonObject spec = service.Ensure("spec");
        string name = service.Text("metadata", "name") ?? "";
        Defaults(spec);
        string before = old.Text("spec", "clusterIP") ?? "";
        if (spec.Text("type") != "ExternalName" && before.Length > 0 && old.Text("spec", "type") != "ExternalName")
        {
            if (spec.Text("clusterIP") is { Length: > 0 } stated && stated != before)
                throw ApiError.Invalid(ResourceTable.Services, name, "spec.clusterIPs[0]", $"Invalid value: [\"{stated}\"]: may not change once set");
            spec["clusterIP"] = before;
            spec["clusterIPs"] = old.At("spec", "clusterIPs")?.DeepClone();
        }
        Addresses(spec, name);
        foreach (JsonObject port in spec.Items("ports"))
        {
            JsonObject? same = old.Items("spec", "ports").Find(o =>
                o.Number("port") == port.Number("port") && (o.Text("protocol") ?? "TCP") == (port.Text("protocol") ?? "TCP"));
            if (port.Number("nodePort") is null or 0 && same.Number("nodePort") is > 0 and { } kept && UsesNodePorts(spec))
                port["nodePort"] = kept;
        }
        NodePorts(service, spec, name);
    }

    private static bool UsesNodePorts(JsonObject spec) =>
        spec.Text("type") == "NodePort" || (spec.Text("type") == "LoadBalancer" && spec.Flag("allocateLoadBalancerNodePorts") != false);

    private static void Defaults(JsonObject spec)
    {
        spec.Default("type", "ClusterIP");
        spec.Default("sessionAffinity", "None");
        if (spec.Text("sessionAffinity") == "ClientIP")
            spec.Ensure("sessionAffinityConfig", "clientIP").Default("timeoutSeconds", 10800);
        if (spec.Text("type") != "ExternalName")
        {
            spec.Default("internalTrafficPolicy", "Cluster");
            spec.Default("ipFamilies", new JsonArray("IPv4"));
            spec.Default("ipFamilyPolicy", "SingleStack");
        }
        if (spec.Text("type") is "NodePort" or "LoadBalancer")
            spec.Default("externalTrafficPolicy", "Cluster");
        else
            spec.Remove("externalTrafficPolicy");
        if (spec.Text("type") == "LoadBalancer")
            spec.Default("allocateLoadBalancerNodePorts", true);
        foreach (JsonObject port in spec.Items("ports"))
        {
            port.Default("protocol", "TCP");
            if (port.At("targetPort") is null && port.Number("port") is { } number)
                port["targetPort"] = number;
        }
    }

    private void Addresses(JsonObject spec, string name)
    {
        if (spec.Text("type") == "ExternalName")
        {
            spec.Remove("clusterIP");
            spec.Remove("clusterIPs");
            return;
        }
        string address = spec.Text("clusterIP") ?? spec.Texts("clusterIPs").FirstOrDefault() ?? "";
        if (address.Length == 0)
            address = NextAddress();
        else if (address != "None" && (!IPAddress.TryParse(address, out _) || IsTaken(address, name)))
            throw ApiError.Invalid(
                ResourceTable.Services, name, "spec.clusterIPs", $"Invalid value: [\"{address}\"]: failed to allocate IP {address}: provided IP is already allocated");
        spec["clusterIP"] = address;
        spec["clusterIPs"] = new JsonArray(address);
    }

    private bool IsTaken(string address, string name) =>
        store.List(ResourceTable.Services).Exists(s => s.Name != name && s.Value.Text("spec", "clusterIP") == address);

    private string NextAddress()
    {
        HashSet<string?> taken = [.. store.List(ResourceTable.Services).Select(s => s.Value.Text("spec", "clusterIP"))];
        for (int tried = 0; tried < 65_000; tried++)
        {
            _nextAddress = _nextAddress >= 65_500 ? 10 : _nextAddress + 1;
            string address = $"10.96.{_nextAddress / 256}.{_nextAddress % 256}";
            if (_nextAddress % 256 is > 0 and < 255 && !taken.Contains(address))
                return address;
        }
        throw new ApiError(500, "InternalError", "failed to allocate a serviceIP: range is full");
    }

    private void NodePorts(JsonObject service, JsonObject spec, string name)
    {
        if (!UsesNodePorts(spec))
        {
            foreach (JsonObject port in spec.Items("ports"))
                port.Remove("nodePort");
            return;
        }
        HashSet<long> taken = [.. store.List(ResourceTable.Services)
            .Where(s => s.Uid != service.Text("metadata", "uid"))
            .SelectMany(s => s.Value.Items("spec", "ports")).Select(p => p.Number("nodePort") ?? 0)];
        foreach (JsonObject port in spec.Items("ports"))
        {
            long number = port.Number("nodePort") ?? 0;
            if (number == 0)
                port["nodePort"] = number = NextPort(taken);
            else if (number is < FirstNodePort or > LastNodePort)
                throw ApiError.Invalid(ResourceTable.Services, name, "spec.ports[0].nodePort", $"Invalid value: {number}: provided port is not in the valid range. The range of valid ports is 30000-32767");
            else if (taken.Contains(number))
                throw ApiError.Invalid(ResourceTable.Services, name, "spec.ports[0].nodePort", $"Invalid value: {number}: provided port is already allocated");
        }
        if (spec.Text("type") == "LoadBalancer" && spec.Text("externalTrafficPolicy") == "Local" && spec.Number("healthCheckNodePort") is null or 0)
            spec["healthCheckNodePort"] = NextPort(taken);
    }

    private long NextPort(HashSet<long> taken)
    {
        for (int tried = FirstNodePort; tried <= LastNodePort; tried++)
        {
            _nextPort = _nextPort >= LastNodePort ? FirstNodePort : _nextPort + 1;
            if (taken.Add(_nextPort))
                return _nextPort;
        }
        throw new ApiError(500, "InternalError", "failed to allocate a nodePort: range is full");
    }
}
