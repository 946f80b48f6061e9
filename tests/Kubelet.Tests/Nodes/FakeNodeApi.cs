using System.Net;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Tests.Nodes;

/// <summary>An API server for one Node and one Lease: stores, merges status patches as far as the tests look, refuses on demand.</summary>
internal sealed class FakeNodeApi : IKubernetesClient
{
    private int _version;

    public Node? Node { get; set; }

    public Lease? Lease { get; set; }

    public List<JsonNode> Patches { get; } = [];

    public List<Event> Events { get; } = [];

    public int Drops { get; private set; }

    public Exception? Failure { get; set; }

    public static ApiException Error(HttpStatusCode code, string reason) => new(Kubernetes.Objects.Status.Empty with { Reason = reason, Message = reason }, code, "request");

    public Task<T> GetAsync<T>(string? namespaceName, string name, string? resourceVersion = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => Answer(() => typeof(T) == typeof(Node) ? (T?)(object?)Node : (T?)(object?)Lease);

    public Task<T> CreateAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => Answer(() =>
        {
            switch (value)
            {
                case Kubernetes.Objects.Node _ when Node is not null:
                    throw Error(HttpStatusCode.Conflict, "AlreadyExists");
                case Node node:
                    Node = node with { Metadata = node.Metadata with { Uid = "node-uid", ResourceVersion = Next() } };
                    return (T)(object)Node;
                case Lease lease:
                    Lease = lease with { Metadata = lease.Metadata with { ResourceVersion = Next() } };
                    return (T)(object)Lease;
                case Event told:
                    Events.Add(told);
                    return value;
                default:
                    return value;
            }
        });

    public Task<T> UpdateAsync<T>(T value, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => Answer(() =>
        {
            Lease lease = (Lease)(object)value;
            if (Lease is null)
            {
                return null;
            }

            if (lease.Metadata.ResourceVersion != Lease.Metadata.ResourceVersion)
            {
                throw Error(HttpStatusCode.Conflict, "Conflict");
            }

            Lease = lease with { Metadata = lease.Metadata with { ResourceVersion = Next() } };
            return (T)(object)Lease;
        });

    public Task<T> PatchAsync<T>(string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => Answer(() =>
        {
            if (Node is null)
            {
                return null;
            }

            Assert.Equal("application/strategic-merge-patch+json", patch.ContentType);
            Assert.Equal("status", subresource);
            Patches.Add(JsonNode.Parse(patch.Body.Span)!);
            JsonObject merged = Kubernetes.Patches.StrategicMergePatch.Apply(Kubernetes.Serialization.KubernetesJson.SerializeToNode(Node), JsonNode.Parse(patch.Body.Span)!.AsObject(), "v1", "Node");
            Node = Kubernetes.Serialization.KubernetesJson.Deserialize<Node>(merged);
            Node = Node with { Metadata = Node.Metadata with { ResourceVersion = Next() } };
            return (T)(object)Node;
        });

    public void DropConnections() => Drops++;

    public Task<KubernetesList<T>> ListPageAsync<T>(string? namespaceName, ListOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(string? namespaceName, WatchOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task<TBody> CreateSubresourceAsync<TBody>(string? namespaceName, string name, TBody body, CancellationToken cancellationToken = default)
        where TBody : class, IKubernetesResource<TBody> => throw new NotSupportedException();

    public Task DeleteAsync<T>(string? namespaceName, string name, DeleteOptions? options = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task<byte[]> RawAsync(HttpMethod method, string path, ReadOnlyMemory<byte> body = default, string? contentType = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    private string Next() => (++_version).ToString(System.Globalization.CultureInfo.InvariantCulture);

    private Task<T> Answer<T>(Func<T?> act)
        where T : class
    {
        try
        {
            return Failure is { } failure ? Task.FromException<T>(failure) : Task.FromResult(act() ?? throw Error(HttpStatusCode.NotFound, "NotFound"));
        }
        catch (ApiException e)
        {
            return Task.FromException<T>(e);
        }
    }
}
