using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.StandIn;

namespace NodeAgent.StandInApiServer.Tests;

/// <summary>One server with an administrator's client, for the tests of a class; each test has a namespace of its own.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    public StandIn.StandInApiServer Server { get; private set; } = null!;

    public KubernetesClient Admin { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Server = await StandIn.StandInApiServer.StartAsync(new StandInOptions { BookmarkPeriod = TimeSpan.FromMilliseconds(200) });
        Admin = new KubernetesClient(Server.AdminConfiguration(), new KubernetesClientOptions { Qps = 0 });
    }

    public async Task DisposeAsync()
    {
        Admin.Dispose();
        await Server.DisposeAsync();
    }

    public async Task<string> NewNamespaceAsync()
    {
        string name = $"t-{Guid.NewGuid():N}"[..12];
        await Admin.CreateAsync(new Namespace { Metadata = new ObjectMeta { Name = name } });
        return name;
    }

    public KubernetesClient NodeClient(string node) => new(Server.NodeConfiguration(node), new KubernetesClientOptions { Qps = 0 });

    public async Task<Node> NewReadyNodeAsync(string name, params (string Key, string Value)[] labels)
    {
        await Admin.CreateAsync(new Node
        {
            Metadata = new ObjectMeta { Name = name, Labels = labels.ToDictionary(l => l.Key, l => l.Value) },
            Status = new NodeStatus
            {
                Allocatable = new Dictionary<string, Quantity> { ["pods"] = Quantity.Parse("110"), ["cpu"] = Quantity.Parse("4") },
                Conditions = [new NodeCondition { Type = "Ready", Status = "True" }],
                Addresses = [new NodeAddress { Type = "InternalIP", Address = "127.0.0.1" }],
            },
        });
        return await EventuallyAsync(
            () => Admin.GetAsync<Node>(null, name), node => node.Spec!.Taints.Count == 0 && !string.IsNullOrEmpty(node.Spec.PodCIDR));
    }

    public static Pod Pod(string namespaceName, string name, string? node = null, params (string Key, string Value)[] labels) => new()
    {
        Metadata = new ObjectMeta { Namespace = namespaceName, Name = name, Labels = labels.ToDictionary(l => l.Key, l => l.Value) },
        Spec = new PodSpec { NodeName = node, Containers = [new Container { Name = "c", Image = "busybox" }] },
    };

    /// <summary>Says for the kubelet that the pod runs.</summary>
    public Task<Pod> RunAsync(string namespaceName, string name, string address, bool ready = true) =>
        Admin.PatchAsync<Pod>(namespaceName, name, Patch.StrategicMerge(System.Text.Json.Nodes.JsonNode.Parse(
            $$$"""{"status":{"phase":"Running","podIP":"{{{address}}}","conditions":[{"type":"Ready","status":"{{{(ready ? "True" : "False")}}}"}]}}""")!), "status");

    /// <summary>Asks until the answer is as wanted, a minute at most: a loaded machine is no failure.</summary>
    public static async Task<T> EventuallyAsync<T>(Func<Task<T>> ask, Func<T, bool> wanted)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(1));
        while (true)
        {
            T answer = await ask();
            if (wanted(answer))
                return answer;
            if (limit.IsCancellationRequested)
                Assert.Fail($"not within a minute; last: {answer}");
            await Task.Delay(20, CancellationToken.None);
        }
    }
}
