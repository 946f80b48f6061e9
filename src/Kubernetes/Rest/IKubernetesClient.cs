using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>
/// Typed requests to one API server under one identity. Failures are <see cref="ApiException"/> (the server said no) or
/// <see cref="ApiUnreachableException"/> (no answer). Namespaces are null for cluster-scoped kinds.
/// </summary>
public interface IKubernetesClient
{
    /// <summary>Reads one object.</summary>
    /// <param name="namespaceName">The namespace; null for cluster-scoped kinds.</param>
    /// <param name="name">The object's name.</param>
    /// <param name="resourceVersion">"0" allows an answer from the server's cache; null is the newest state.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    Task<T> GetAsync<T>(string? namespaceName, string name, string? resourceVersion = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>Reads one page of objects of all namespaces (null) or one.</summary>
    Task<KubernetesList<T>> ListPageAsync<T>(string? namespaceName, ListOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>As <see cref="ListPageAsync{T}(string?, ListOptions, CancellationToken)"/>, giving each object away once it is read: no list is held whole.</summary>
    /// <param name="namespaceName">The namespace; null for all.</param>
    /// <param name="options">Which objects.</param>
    /// <param name="each">Called for each object in the server's order; what it throws ends the call.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Resource version, and the token for the next page; a failure may come after some objects.</returns>
    async Task<ListMeta> ListPageAsync<T>(string? namespaceName, ListOptions options, Action<T> each, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(each);
        KubernetesList<T> page = await ListPageAsync<T>(namespaceName, options, cancellationToken);
        foreach (T item in page.Items)
            each(item);
        return page.Metadata;
    }

    /// <summary>
    /// Events after <see cref="WatchOptions.ResourceVersion"/> until the server ends the watch (the sequence ends) or it breaks
    /// (<see cref="ApiUnreachableException"/>); an ERROR frame is an <see cref="ApiException"/>, 410 meaning: list anew.
    /// </summary>
    IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(string? namespaceName, WatchOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>Creates an object in the namespace its metadata names.</summary>
    Task<T> CreateAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>Posts to a subresource of a named object, for example Eviction, TokenRequest, Binding (the subresource is known from
    /// <typeparamref name="TBody"/>'s resource type); answers the server's object.</summary>
    Task<TBody> CreateSubresourceAsync<TBody>(string? namespaceName, string name, TBody body, CancellationToken cancellationToken = default)
        where TBody : class, IKubernetesResource<TBody>;

    /// <summary>Replaces an object (or a subresource, for example "status"); its resourceVersion must be the newest.</summary>
    Task<T> UpdateAsync<T>(T value, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>Changes an object (or a subresource, for example "status").</summary>
    Task<T> PatchAsync<T>(
        string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>As <see cref="CreateAsync"/>, for those who know what they sent: of the answer no more is read than the resourceVersion.</summary>
    async Task<string?> CreateForVersionAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => (await CreateAsync(value, cancellationToken)).Metadata.ResourceVersion;

    /// <summary>As <see cref="PatchAsync"/>, for those who know what they sent: of the answer no more is read than the resourceVersion.</summary>
    async Task<string?> PatchForVersionAsync<T>(
        string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => (await PatchAsync<T>(namespaceName, name, patch, subresource, cancellationToken)).Metadata.ResourceVersion;

    /// <summary>Asks for the deletion of an object; it may live on for its grace period or finalizers.</summary>
    Task DeleteAsync<T>(string? namespaceName, string name, DeleteOptions? options = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>;

    /// <summary>Any request; the path starts with a slash and may carry a query. Answers the body of a 2xx answer.</summary>
    Task<byte[]> RawAsync(
        HttpMethod method, string path, ReadOnlyMemory<byte> body = default, string? contentType = null,
        CancellationToken cancellationToken = default);

    /// <summary>Closes every connection, watches included: for repeated heartbeat failures and renewed certificates.</summary>
    void DropConnections();
}

/// <summary>Lists that follow the pages.</summary>
public static class KubernetesClientExtensions
{
    /// <summary>
    /// Every object, page by page. When the continue token expires on the way, the list starts anew without pages, so that the
    /// answer is of one moment.
    /// </summary>
    public static async Task<KubernetesList<T>> ListAsync<T>(
        this IKubernetesClient client, string? namespaceName, ListOptions? options = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(client);
        ListOptions page = options ?? ListOptions.All;
        KubernetesList<T> first = await client.ListPageAsync<T>(namespaceName, page, cancellationToken);
        if (string.IsNullOrEmpty(first.Metadata.Continue))
            return first;
        List<T> items = [.. first.Items];
        string? next = first.Metadata.Continue;
        try
        {
            while (!string.IsNullOrEmpty(next))
            {
                ListOptions following = page with { Continue = next, ResourceVersion = null, ResourceVersionMatch = null };
                KubernetesList<T> more = await client.ListPageAsync<T>(namespaceName, following, cancellationToken);
                items.AddRange(more.Items);
                next = more.Metadata.Continue;
            }
        }
        catch (ApiException e) when (e.IsExpired)
        {
            return await client.ListPageAsync<T>(namespaceName, page with { Limit = null, Continue = null }, cancellationToken);
        }
        return first with { Items = items, Metadata = first.Metadata with { Continue = null, RemainingItemCount = null } };
    }
}
