using System.Runtime.CompilerServices;
using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>
/// Requests to an API server over HTTP/2 (1.1 where the server has no more). One instance has its own connections and its own rate
/// limit: make one for each purpose that must not wait for another (main, events, heartbeat). Safe from every thread.
/// </summary>
public sealed class KubernetesClient : IKubernetesClient, IDisposable
{
    // How long after the end that was asked for a silent watch is given up.
    private static readonly TimeSpan WatchSlack = TimeSpan.FromSeconds(30);
    private readonly ClientConfiguration _configuration;
    private readonly KubernetesClientOptions _options;
    private readonly RequestSender _sender;

    /// <summary>Connects with the first request, not here.</summary>
    public KubernetesClient(ClientConfiguration configuration, KubernetesClientOptions? options = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _configuration = configuration;
        _options = options ?? new KubernetesClientOptions();
        _sender = new RequestSender(configuration, _options, time ?? TimeProvider.System);
    }

    /// <summary>The configuration this client was made with.</summary>
    public ClientConfiguration Configuration => _configuration;

    /// <inheritdoc/>
    public Task<T> GetAsync<T>(string? namespaceName, string name, string? resourceVersion = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        QueryBuilder path = new(ResourcePaths.Item(ResourceOf<T>.Type, namespaceName, name));
        path.Add("resourceVersion", resourceVersion);
        return CallAsync<T>(HttpMethod.Get, path.ToString(), default, null, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<KubernetesList<T>> ListPageAsync<T>(string? namespaceName, ListOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(options);
        return CallAsync<KubernetesList<T>>(HttpMethod.Get, ResourcePaths.List(ResourceOf<T>.Type, namespaceName, options), default, null, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<ListMeta> ListPageAsync<T>(string? namespaceName, ListOptions options, Action<T> each, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(each);
        ApiRequest request = new(HttpMethod.Get, ResourcePaths.List(ResourceOf<T>.Type, namespaceName, options), default, null, _options.RequestTimeout);
        return _sender.MeasureAsync(HttpMethod.Get, () => ReadListAsync(request, each, cancellationToken));
    }

    private async Task<ListMeta> ReadListAsync<T>(ApiRequest request, Action<T> each, CancellationToken cancellationToken)
        where T : class, IKubernetesResource<T>
    {
        using Attempt attempt = await _sender.SendAsync(request, cancellationToken);
        using PooledBuffer buffer = new(64 * 1024, _options.MaximumAnswerBytes);
        ListReader<T> reader = new(each);
        try
        {
            await using Stream stream = await attempt.Response!.Content.ReadAsStreamAsync(attempt.Token);
            while (await FillAsync(attempt, buffer, stream, request) > 0)
                buffer.Advance(reader.Take(buffer.Unread));
            return reader.End(buffer.Unread);
        }
        catch (JsonException e)
        {
            throw new ApiUnreachableException($"{request}: the answer of {_configuration.Server} cannot be read: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public Task<T> CreateAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(value);
        return AnswerAsync<T>(Creation(value), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<string?> CreateForVersionAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(value);
        return VersionAsync(Creation(value), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<TBody> CreateSubresourceAsync<TBody>(string? namespaceName, string name, TBody body, CancellationToken cancellationToken = default)
        where TBody : class, IKubernetesResource<TBody>
    {
        ResourceType type = TBody.Resource;
        if (type.Kind == "Binding")
            type = Resources.Pods with { Subresource = "binding" };
        string path = ResourcePaths.Item(type, namespaceName, name, type.Subresource
            ?? throw new ArgumentException($"{type.Kind} is not posted to a subresource; use CreateAsync", nameof(body)));
        return CallAsync<TBody>(HttpMethod.Post, path, KubernetesJson.SerializeToUtf8Bytes(body), null, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<T> UpdateAsync<T>(T value, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(value);
        string path = ResourcePaths.Item(ResourceOf<T>.Type, value.Metadata.Namespace, value.Metadata.Name ?? "", subresource);
        return CallAsync<T>(HttpMethod.Put, path, KubernetesJson.SerializeToUtf8Bytes(value), null, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<T> PatchAsync<T>(
        string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(patch);
        return AnswerAsync<T>(Change<T>(namespaceName, name, patch, subresource), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<string?> PatchForVersionAsync<T>(
        string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(patch);
        return VersionAsync(Change<T>(namespaceName, name, patch, subresource), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task DeleteAsync<T>(string? namespaceName, string name, DeleteOptions? options = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        DeleteOptions body = (options ?? DeleteOptions.Empty) with { ApiVersion = "v1", Kind = "DeleteOptions" };
        string path = ResourcePaths.Item(ResourceOf<T>.Type, namespaceName, name);
        await RawAsync(HttpMethod.Delete, path, KubernetesJson.SerializeToUtf8Bytes(body), null, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<byte[]> RawAsync(
        HttpMethod method, string path, ReadOnlyMemory<byte> body = default, string? contentType = null,
        CancellationToken cancellationToken = default)
    {
        using PooledBuffer answer = await ReadAsync(new ApiRequest(method, path, body, contentType, _options.RequestTimeout), cancellationToken);
        return answer.Unread.ToArray();
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? namespaceName, WatchOptions options, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        ArgumentNullException.ThrowIfNull(options);
        ApiRequest request = new(
            HttpMethod.Get, ResourcePaths.Watch(ResourceOf<T>.Type, namespaceName, options), default, null, options.Timeout + WatchSlack);
        using Attempt attempt = await _sender.SendAsync(request, cancellationToken);
        await using Stream stream = await attempt.Response!.Content.ReadAsStreamAsync(attempt.Token);
        using PooledBuffer buffer = new(8192, _options.MaximumFrameBytes);
        int searched = 0;
        while (true)
        {
            while (TakeFrame<T>(buffer, ref searched, request) is { } frame)
                yield return frame;
            if (await FillAsync(attempt, buffer, stream, request) == 0)
                break;
        }
        if (!buffer.Unread.Trim(" \r\n\t"u8).IsEmpty)
            throw new ApiUnreachableException($"{request}: the watch ended in the middle of an event");
    }

    /// <inheritdoc/>
    public void DropConnections() => _sender.DropConnections();

    /// <summary>Ends every request and connection.</summary>
    public void Dispose() => _sender.Dispose();

    private WatchEvent<T>? TakeFrame<T>(PooledBuffer buffer, ref int searched, ApiRequest request)
        where T : class, IKubernetesResource<T>
    {
        while (true)
        {
            ReadOnlySpan<byte> unread = buffer.Unread;
            int end = unread[searched..].IndexOf((byte)'\n');
            if (end < 0)
            {
                searched = unread.Length;
                return null;
            }
            end += searched;
            searched = 0;
            ReadOnlySpan<byte> line = unread[..end].Trim(" \r\t"u8);
            try
            {
                if (!line.IsEmpty)
                    return WatchFrames.Parse<T>(line, request.ToString());
            }
            catch (JsonException e)
            {
                throw new ApiUnreachableException($"{request}: a watch event of {_configuration.Server} cannot be read: {e.Message}", e);
            }
            finally
            {
                buffer.Advance(end + 1);
            }
        }
    }

    private async ValueTask<int> FillAsync(Attempt attempt, PooledBuffer buffer, Stream stream, ApiRequest request)
    {
        try
        {
            return await buffer.FillAsync(stream, attempt.Token);
        }
        catch (Exception e) when (ConnectionErrors.IsConnectionFailure(e))
        {
            throw attempt.Explain(e, request.ToString(), _configuration);
        }
    }

    private ApiRequest Creation<T>(T value)
        where T : class, IKubernetesResource<T>
    {
        if (ResourceOf<T>.Type.Namespaced && string.IsNullOrEmpty(value.Metadata.Namespace))
            throw new ArgumentException($"{ResourceOf<T>.Type.Kind} {value.Metadata.Name}: metadata.namespace is needed to create it", nameof(value));
        string path = ResourcePaths.Collection(ResourceOf<T>.Type, value.Metadata.Namespace);
        return new ApiRequest(HttpMethod.Post, path, KubernetesJson.SerializeToUtf8Bytes(value), null, _options.RequestTimeout);
    }

    private ApiRequest Change<T>(string? namespaceName, string name, Patch patch, string? subresource)
        where T : class, IKubernetesResource<T>
    {
        string path = ResourcePaths.Patch(ResourcePaths.Item(ResourceOf<T>.Type, namespaceName, name, subresource), patch);
        return new ApiRequest(HttpMethod.Patch, path, patch.Body, patch.ContentType, _options.RequestTimeout);
    }

    private Task<TAnswer> CallAsync<TAnswer>(
        HttpMethod method, string path, ReadOnlyMemory<byte> body, string? contentType, CancellationToken cancellationToken)
        where TAnswer : class, IJsonObject<TAnswer> =>
        AnswerAsync<TAnswer>(new ApiRequest(method, path, body, contentType, _options.RequestTimeout), cancellationToken);

    private async Task<TAnswer> AnswerAsync<TAnswer>(ApiRequest request, CancellationToken cancellationToken)
        where TAnswer : class, IJsonObject<TAnswer>
    {
        using PooledBuffer answer = await ReadAsync(request, cancellationToken);
        try
        {
            return KubernetesJson.Deserialize<TAnswer>(answer.Unread);
        }
        catch (JsonException e)
        {
            throw Unreadable(request, e);
        }
    }

    private async Task<string?> VersionAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        using PooledBuffer answer = await ReadAsync(request, cancellationToken);
        try
        {
            return KubernetesJson.ResourceVersion(answer.Unread);
        }
        catch (JsonException e)
        {
            throw Unreadable(request, e);
        }
    }

    private ApiUnreachableException Unreadable(ApiRequest request, JsonException e) =>
        new($"{request}: the answer of {_configuration.Server} cannot be read: {e.Message}", e);

    private Task<PooledBuffer> ReadAsync(ApiRequest request, CancellationToken cancellationToken) =>
        _sender.MeasureAsync(request.Method, () => ReadAnswerAsync(request, cancellationToken));

    private async Task<PooledBuffer> ReadAnswerAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        using Attempt attempt = await _sender.SendAsync(request, cancellationToken);
        long? length = attempt.Response!.Content.Headers.ContentLength;
        PooledBuffer answer = new((int)Math.Clamp(length + 1 ?? 16384, 1024, 1 << 20), _options.MaximumAnswerBytes);
        try
        {
            await using Stream stream = await attempt.Response.Content.ReadAsStreamAsync(attempt.Token);
            while (await answer.FillAsync(stream, attempt.Token) > 0)
            {
            }
            return answer;
        }
        catch (Exception e) when (ConnectionErrors.IsConnectionFailure(e))
        {
            answer.Dispose();
            throw attempt.Explain(e, request.ToString(), _configuration);
        }
    }
}
