using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.StandIn.Admission;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>What a cluster has from its first moment: namespaces, priority classes, the kubernetes Service, service accounts.</summary>
internal sealed class ClusterSeed(ObjectWriter writer, string authorityPem)
{
    public static string[] SystemNamespaces { get; } = ["default", "kube-system", "kube-public", "kube-node-lease"];

    public void Plant(System.Net.IPAddress address, int port)
    {
        lock (writer.Store.Gate)
        {
            foreach (string name in SystemNamespaces)
                Make(ResourceTable.Namespaces, "", name, []);
            foreach (StoredObject home in writer.Store.List(ResourceTable.Namespaces))
                NamespaceContent(home.Name);
            MakePriority("system-node-critical", 2000001000);
            MakePriority("system-cluster-critical", 2000000000);
            KubernetesService(address, port);
        }
        Action<StoreEvent>? next = writer.Store.Changed;
        writer.Store.Changed = change =>
        {
            next?.Invoke(change);
            // At once, so that a pod created right after its namespace finds its service account.
            if (change.Definition == ResourceTable.Namespaces && change.Old is null)
                NamespaceContent(change.Subject.Name);
        };
    }

    public static string BootstrapToken(ObjectWriter writer)
    {
        string id = ObjectWriter.RandomSuffix(6), secret = ObjectWriter.RandomSuffix(16);
        JsonObject data = [];
        foreach ((string key, string value) in new[]
        {
            ("token-id", id), ("token-secret", secret), ("usage-bootstrap-authentication", "true"), ("usage-bootstrap-signing", "true"),
            ("auth-extra-groups", "system:bootstrappers:kubeadm:default-node-token"),
            ("expiration", ObjectWriter.TimeText(DateTimeOffset.UtcNow.AddDays(1))),
        })
            data[key] = Convert.ToBase64String(Encoding.UTF8.GetBytes(value));
        writer.Create(ResourceTable.Secrets, "kube-system", new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = $"bootstrap-token-{id}" },
            ["type"] = "bootstrap.kubernetes.io/token",
            ["data"] = data,
        });
        return $"{id}.{secret}";
    }

    private void NamespaceContent(string name)
    {
        if (writer.Store.Get(ResourceTable.Namespaces, "", name) is not { IsDeleting: false })
            return;
        Make(ResourceTable.ServiceAccounts, name, "default", []);
        Make(ResourceTable.ConfigMaps, name, "kube-root-ca.crt", new JsonObject { ["data"] = new JsonObject { ["ca.crt"] = authorityPem } });
    }

    private void MakePriority(string name, int value) =>
        Make(ResourceTable.PriorityClasses, "", name, new JsonObject { ["value"] = value, ["preemptionPolicy"] = "PreemptLowerPriority" });

    private void KubernetesService(System.Net.IPAddress address, int port)
    {
        Make(ResourceTable.Services, "default", "kubernetes", new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["labels"] = new JsonObject { ["component"] = "apiserver", ["provider"] = "kubernetes" },
            },
            ["spec"] = new JsonObject
            {
                ["clusterIP"] = ServiceAllocator.KubernetesAddress,
                ["ports"] = new JsonArray(new JsonObject { ["name"] = "https", ["port"] = 443, ["targetPort"] = port, ["protocol"] = "TCP" }),
            },
        });
        writer.Store.Remove(ResourceTable.EndpointSlices, "default", "kubernetes");
        Make(ResourceTable.EndpointSlices, "default", "kubernetes", new JsonObject
        {
            ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = "kubernetes" } },
            ["addressType"] = "IPv4",
            ["endpoints"] = new JsonArray(new JsonObject
            {
                ["addresses"] = new JsonArray(address.ToString()),
                ["conditions"] = new JsonObject { ["ready"] = true },
            }),
            ["ports"] = new JsonArray(new JsonObject { ["name"] = "https", ["port"] = port, ["protocol"] = "TCP" }),
        });
    }

    private void Make(ResourceDefinition definition, string namespaceName, string name, JsonObject value)
    {
        if (writer.Store.Get(definition, namespaceName, name) is not null)
            return;
        value.Ensure("metadata")["name"] = name;
        writer.Create(definition, namespaceName, value);
    }
}
