using System.Collections.Immutable;
using System.Net;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Tests.Volumes;

internal sealed class FakeNodeInfo : INodeInfo
{
    public string Name => "node";
    public ImmutableArray<string> HostIPs => ["10.0.0.1"];
    public Node? Current => null;
    public IReadOnlyDictionary<string, Quantity> Allocatable { get; } = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("2"), ["memory"] = Quantity.Parse("64Mi") };
    public string? NetworkNotReady => null;
}

internal sealed class FakeObjectStore : IPodObjectStore
{
    public Dictionary<string, Secret> Secrets { get; } = [];
    public Dictionary<string, ConfigMap> ConfigMaps { get; } = [];

    public Task<Secret> GetSecretAsync(string @namespace, string name, CancellationToken cancellationToken)
        => Secrets.TryGetValue(name, out Secret? found) ? Task.FromResult(found) : Task.FromException<Secret>(FakeClient.NotFound("secrets", name));

    public Task<ConfigMap> GetConfigMapAsync(string @namespace, string name, CancellationToken cancellationToken)
        => ConfigMaps.TryGetValue(name, out ConfigMap? found) ? Task.FromResult(found) : Task.FromException<ConfigMap>(FakeClient.NotFound("configmaps", name));

    public void RegisterPod(Pod pod)
    {
    }

    public void UnregisterPod(PodUid uid)
    {
    }
}

/// <summary>Answers reads from a table and token requests from a function; everything else is not asked.</summary>
internal sealed class FakeClient : IKubernetesClient
{
    public Dictionary<string, IKubernetesObject> Objects { get; } = [];
    public int Reads { get; private set; }
    public List<TokenRequest> TokenRequests { get; } = [];
    public Func<TokenRequest, TokenRequest>? Tokens { get; set; }
    public Func<string, DeleteOptions?, Task>? Deletes { get; set; }
    public Task? Creates { get; set; }
    public Func<Patch, IKubernetesObject>? Patches { get; set; }

    public static ApiException NotFound(string resource, string name)
        => new(new NodeAgent.Kubernetes.Objects.Status { Code = 404, Reason = "NotFound", Message = $"{resource} \"{name}\" not found" }, HttpStatusCode.NotFound, "GET");

    public Task<T> GetAsync<T>(string? namespaceName, string name, string? resourceVersion = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        Reads++;
        return Objects.TryGetValue(name, out IKubernetesObject? found) ? Task.FromResult((T)found) : Task.FromException<T>(NotFound("objects", name));
    }

    public Task<TBody> CreateSubresourceAsync<TBody>(string? namespaceName, string name, TBody body, CancellationToken cancellationToken = default)
        where TBody : class, IKubernetesResource<TBody>
    {
        var request = (TokenRequest)(object)body;
        TokenRequests.Add(request);
        try
        {
            return Task.FromResult((TBody)(object)Tokens!(request));
        }
        catch (KubernetesException e)
        {
            return Task.FromException<TBody>(e);
        }
    }

    public Task<KubernetesList<T>> ListPageAsync<T>(string? namespaceName, ListOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();
    public IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(string? namespaceName, WatchOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();
    public async Task<T> CreateAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        await (Creates ?? throw new NotSupportedException());
        return value;
    }

    public Task<T> UpdateAsync<T>(T value, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();
    public Task<T> PatchAsync<T>(string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => Task.FromResult((T)(Patches ?? throw new NotSupportedException())(patch));
    public Task DeleteAsync<T>(string? namespaceName, string name, DeleteOptions? options = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => (Deletes ?? throw new NotSupportedException())(name, options);
    public Task<byte[]> RawAsync(HttpMethod method, string path, ReadOnlyMemory<byte> body = default, string? contentType = null, CancellationToken cancellationToken = default)
        => throw new NotSupportedException();
    public void DropConnections() => throw new NotSupportedException();
}
