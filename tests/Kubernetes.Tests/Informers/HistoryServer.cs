using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Tests.Informers;

/// <summary>What happens next to the collection or to whoever follows it.</summary>
/// <param name="Kind">What.</param>
/// <param name="Name">Of which object, for changes.</param>
internal sealed record ServerStep(ServerStepKind Kind, string Name);

internal enum ServerStepKind
{
    Put,
    Delete,
    Replace,
    Bookmark,
    End,
    Reset,
    TooMany,
    Expire,
    Fail,
    Compact,
}

/// <summary>
/// One collection with its history, as an API server keeps it, which plays a script to its one follower: objects change, watches end,
/// break, are refused and expire, in lists, between pages, inside streaming lists. After the script the watch stays open.
/// </summary>
internal sealed class HistoryServer(IEnumerable<ServerStep> script, bool streaming) : IKubernetesClient
{
    private readonly Queue<ServerStep> _steps = new(script);
    private readonly List<(long Version, WatchEventType Type, ConfigMap Object)> _history = [];
    private readonly Dictionary<string, ConfigMap> _objects = [];
    private readonly Dictionary<string, ConfigMap[]> _snapshots = [];
    private readonly TaskCompletionSource _played = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _version = 10;
    private long _compacted;
    private int _uids;

    /// <summary>Ends when the follower has been sent everything and waits.</summary>
    internal Task Played => _played.Task;

    internal IReadOnlyDictionary<string, ConfigMap> Objects => _objects;

    /// <summary>Changes since the first complete list.</summary>
    internal int ChangesAfterFirstList { get; private set; }

    internal int CompleteLists { get; private set; }

    public Task<KubernetesList<T>> ListPageAsync<T>(string? namespaceName, ListOptions options, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        string version = options.Continue?.Split('/')[0] ?? _version.ToString(CultureInfo.InvariantCulture);
        int from = options.Continue is { } token ? int.Parse(token.Split('/')[1], CultureInfo.InvariantCulture) : 0;
        Fault(between: options.Continue is not null);
        if (options.Continue is null)
        {
            version = _version.ToString(CultureInfo.InvariantCulture);
            _snapshots[version] = [.. _objects.Values];
        }
        ConfigMap[] all = _snapshots[version], page = [.. all.Skip(from).Take(options.Limit ?? int.MaxValue)];
        bool last = from + page.Length == all.Length;
        CompleteLists += last ? 1 : 0;
        return Task.FromResult(new KubernetesList<T>
        {
            Metadata = new ListMeta { ResourceVersion = version, Continue = last ? null : $"{version}/{from + page.Length}" },
            Items = [.. page.Cast<T>()],
        });
    }

    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync<T>(
        string? namespaceName, WatchOptions options, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T>
    {
        if (options.SendInitialEvents && !streaming)
            throw Refused(HttpStatusCode.UnprocessableEntity, "Invalid");
        long sent;
        if (options.SendInitialEvents)
        {
            long begun = _version;
            foreach (ConfigMap item in _objects.Values.ToArray())
            {
                yield return Event<T>(WatchEventType.Added, item);
                Fault(between: true);
            }
            foreach ((long version, WatchEventType type, ConfigMap item) in _history.Where(h => h.Version > begun).ToArray())
                yield return Event<T>(type, item);
            CompleteLists++;
            sent = _version;
            yield return Event<T>(WatchEventType.Bookmark, new ConfigMap
            {
                Metadata = new ObjectMeta
                {
                    ResourceVersion = sent.ToString(CultureInfo.InvariantCulture),
                    Annotations = new Dictionary<string, string> { [WatchEvent<T>.InitialEventsEndAnnotation] = "true" },
                },
            });
        }
        else
        {
            sent = long.Parse(options.ResourceVersion!, CultureInfo.InvariantCulture);
        }
        while (true)
        {
            if (sent < _compacted)
                throw Refused(HttpStatusCode.Gone, "Expired");
            foreach ((long version, WatchEventType type, ConfigMap item) in _history.Where(h => h.Version > sent).ToArray())
            {
                sent = version;
                yield return Event<T>(type, item);
            }
            if (!_steps.TryDequeue(out ServerStep? step))
                break;
            if (step.Kind == ServerStepKind.End)
                yield break;
            if (step.Kind == ServerStepKind.Bookmark)
                yield return Event<T>(WatchEventType.Bookmark, new ConfigMap { Metadata = new ObjectMeta { ResourceVersion = _version.ToString(CultureInfo.InvariantCulture) } });
            Play(step);
        }
        _played.TrySetResult();
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    // At a place where a follower is not looking: changes happen unseen, troubles hit the answer.
    private void Fault(bool between)
    {
        if (_steps.TryPeek(out ServerStep? next) && (between || next.Kind is ServerStepKind.Put or ServerStepKind.Delete or ServerStepKind.Reset))
            Play(_steps.Dequeue());
    }

    private void Play(ServerStep step)
    {
        switch (step.Kind)
        {
            case ServerStepKind.Put:
                Put(step.Name);
                break;
            case ServerStepKind.Delete:
                Delete(step.Name);
                break;
            case ServerStepKind.Replace:
                Delete(step.Name);
                Put(step.Name);
                break;
            case ServerStepKind.Compact:
                _compacted = _version;
                break;
            case ServerStepKind.Reset:
                throw new ApiUnreachableException("reset");
            case ServerStepKind.TooMany:
                throw Refused(HttpStatusCode.TooManyRequests, "TooManyRequests");
            case ServerStepKind.Expire:
                throw Refused(HttpStatusCode.Gone, "Expired");
            case ServerStepKind.Fail:
                throw Refused(HttpStatusCode.InternalServerError, "InternalError");
            default:
                break;
        }
    }

    private void Put(string name)
    {
        bool known = _objects.TryGetValue(name, out ConfigMap? before);
        Record(known ? WatchEventType.Modified : WatchEventType.Added, new ConfigMap
        {
            Metadata = new ObjectMeta { Name = name, Namespace = "n", Uid = before?.Metadata.Uid ?? $"u{++_uids}" },
        });
    }

    private void Delete(string name)
    {
        if (_objects.TryGetValue(name, out ConfigMap? before))
            Record(WatchEventType.Deleted, before);
    }

    private void Record(WatchEventType type, ConfigMap item)
    {
        ConfigMap versioned = item with { Metadata = item.Metadata with { ResourceVersion = (++_version).ToString(CultureInfo.InvariantCulture) } };
        _history.Add((_version, type, versioned));
        if (type == WatchEventType.Deleted)
            _objects.Remove(item.Metadata.Name!);
        else
            _objects[item.Metadata.Name!] = versioned;
        ChangesAfterFirstList += CompleteLists > 0 ? 1 : 0;
    }

    private static WatchEvent<T> Event<T>(WatchEventType type, ConfigMap item)
        where T : class => new(type, (T)(object)item);

    private static ApiException Refused(HttpStatusCode code, string reason) => new(new Status { Code = (int)code, Reason = reason, Message = reason }, code, "request");

    public Task<T> GetAsync<T>(string? namespaceName, string name, string? resourceVersion = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task<T> CreateAsync<T>(T value, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task<TBody> CreateSubresourceAsync<TBody>(string? namespaceName, string name, TBody body, CancellationToken cancellationToken = default)
        where TBody : class, IKubernetesResource<TBody> => throw new NotSupportedException();

    public Task<T> UpdateAsync<T>(T value, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task<T> PatchAsync<T>(string? namespaceName, string name, Patch patch, string? subresource = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task DeleteAsync<T>(string? namespaceName, string name, DeleteOptions? options = null, CancellationToken cancellationToken = default)
        where T : class, IKubernetesResource<T> => throw new NotSupportedException();

    public Task<byte[]> RawAsync(
        HttpMethod method, string path, ReadOnlyMemory<byte> body = default, string? contentType = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public void DropConnections() => throw new NotSupportedException();
}
