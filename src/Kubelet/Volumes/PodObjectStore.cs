using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>configMapAndSecretChangeDetectionStrategy.</summary>
public enum ObjectChangeDetection
{
    /// <summary>One watch for each object.</summary>
    Watch,
    /// <summary>Read again after <see cref="PodObjectStoreOptions.CacheLife"/>.</summary>
    Cache,
    /// <summary>Read each time.</summary>
    Get,
}

/// <summary>How the store reads.</summary>
public sealed record PodObjectStoreOptions
{
    /// <summary>The strategy.</summary>
    public ObjectChangeDetection Detection { get; init; } = ObjectChangeDetection.Watch;
    /// <summary>For the strategy Cache.</summary>
    public TimeSpan CacheLife { get; init; } = TimeSpan.FromMinutes(1);
    /// <summary>For Cache and Get: how often pods look for changes; a little more than the cache's life.</summary>
    public TimeSpan LookPeriod { get; init; } = TimeSpan.FromSeconds(65);
    /// <summary>How long a first use waits for its watch before the object is read directly.</summary>
    public TimeSpan SyncLimit { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>Where the store gets its objects: an API client and informers over it.</summary>
/// <param name="Client">For direct reads.</param>
/// <param name="ConfigMaps">Makes an informer; the store runs and ends it.</param>
/// <param name="Secrets">As ConfigMaps.</param>
public sealed record PodObjectSources(
    IKubernetesClient Client, Func<InformerOptions, IInformer<ConfigMap>> ConfigMaps, Func<InformerOptions, IInformer<Secret>> Secrets);

/// <summary>
/// Secrets and config maps that pods of this node refer to. Each is followed by one watch (field selector metadata.name, the
/// only one the node authorizer grants) from the first pod that names it until the last; immutable ones are read once.
/// </summary>
public sealed class PodObjectStore : IPodObjectStore, IDisposable
{
    private readonly PodObjectSources _sources;
    private readonly PodObjectStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Dictionary<ObjectReference, Entry> _entries = [];
    private readonly Dictionary<PodUid, HashSet<ObjectReference>> _pods = [];
    private readonly ITimer _look;
    private bool _looking;

    /// <summary>Creates an empty store.</summary>
    public PodObjectStore(PodObjectSources sources, PodObjectStoreOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_sources, _options, _time) = (sources, options, time);
        _look = time.CreateTimer(static store => ((PodObjectStore)store!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// An object that this pod refers to appeared, changed or went; without watches: may have changed. Called on an informer's loop or a
    /// pool thread; must not block.
    /// </summary>
    public event Action<PodUid>? Changed;

    /// <summary>How many watches run.</summary>
    public int WatchCount
    {
        get { lock (_gate) { return _entries.Values.Count(e => e.IsWatching); } }
    }

    /// <inheritdoc/>
    public async Task<Secret> GetSecretAsync(string @namespace, string name, CancellationToken cancellationToken)
        => (Secret)await GetAsync(new ObjectReference(true, @namespace, name), cancellationToken);

    /// <inheritdoc/>
    public async Task<ConfigMap> GetConfigMapAsync(string @namespace, string name, CancellationToken cancellationToken)
        => (ConfigMap)await GetAsync(new ObjectReference(false, @namespace, name), cancellationToken);

    /// <inheritdoc/>
    public void RegisterPod(Pod pod)
    {
        ArgumentNullException.ThrowIfNull(pod);
        HashSet<ObjectReference> wanted = PodReferences.Of(pod);
        List<Entry> ended = [];
        lock (_gate)
        {
            HashSet<ObjectReference> had = _pods.GetValueOrDefault(pod.Uid) ?? [];
            foreach (ObjectReference added in wanted.Where(r => !had.Contains(r)))
            {
                Entry entry = _entries.TryGetValue(added, out Entry? there) ? there : _entries[added] = Start(added);
                entry.Pods.Add(pod.Uid);
            }

            Release(pod.Uid, had.Where(r => !wanted.Contains(r)), ended);
            _pods[pod.Uid] = wanted;
            if (_options.Detection != ObjectChangeDetection.Watch && wanted.Count > 0 && !_looking)
            {
                _looking = true;
                _look.Change(_options.LookPeriod, Timeout.InfiniteTimeSpan);
            }
        }

        ended.ForEach(static e => e.Stop());
    }

    /// <inheritdoc/>
    public void UnregisterPod(PodUid uid)
    {
        List<Entry> ended = [];
        lock (_gate)
        {
            if (_pods.Remove(uid, out HashSet<ObjectReference>? had))
            {
                Release(uid, had, ended);
            }
        }

        ended.ForEach(static e => e.Stop());
    }

    /// <summary>Ends all watches.</summary>
    public void Dispose()
    {
        Entry[] all;
        lock (_gate)
        {
            all = [.. _entries.Values];
            _entries.Clear();
            _pods.Clear();
        }

        _look.Dispose();

        Array.ForEach(all, static e => e.Stop());
    }

    // Nobody tells of changes here: the pods are synced again, as upstream does each minute, and read what they refer to.
    private void Look()
    {
        PodUid[] pods;
        lock (_gate)
        {
            pods = [.. _pods.Where(p => p.Value.Count > 0).Select(p => p.Key)];
            _looking = pods.Length > 0;
            if (_looking)
            {
                _look.Change(_options.LookPeriod, Timeout.InfiniteTimeSpan);
            }
        }

        foreach (PodUid uid in pods)
        {
            Changed?.Invoke(uid);
        }
    }

    private void Release(PodUid uid, IEnumerable<ObjectReference> references, List<Entry> ended)
    {
        foreach (ObjectReference reference in references)
        {
            if (_entries.TryGetValue(reference, out Entry? entry) && entry.Pods.Remove(uid) && entry.Pods.Count == 0)
            {
                _entries.Remove(reference);
                ended.Add(entry);
            }
        }
    }

    private Entry Start(ObjectReference reference)
    {
        var entry = new Entry(reference);
        if (_options.Detection == ObjectChangeDetection.Watch)
        {
            InformerOptions options = new() { Namespace = reference.Namespace, FieldSelector = "metadata.name=" + reference.Name, Quiet = true };
            if (reference.IsSecret)
            {
                Follow(entry, _sources.Secrets(options), static s => s.Immutable == true);
            }
            else
            {
                Follow(entry, _sources.ConfigMaps(options), static m => m.Immutable == true);
            }
        }

        return entry;
    }

    private void Follow<T>(Entry entry, IInformer<T> informer, Func<T, bool> isImmutable)
        where T : class, IKubernetesObject
    {
        entry.Synced = informer.HasSynced;
        entry.Current = () => informer.Lister.List() is [var only, ..] ? only : null;
        informer.AddHandler(new Handler<T>(item =>
        {
            if (item is not null && isImmutable(item))
            {
                entry.Settle(item);
            }

            Announce(entry);
        }));
        entry.Watch = Task.Run(() => informer.RunAsync(entry.Stopping), CancellationToken.None);
    }

    private void Announce(Entry entry)
    {
        PodUid[] pods;
        lock (_gate)
        {
            pods = [.. entry.Pods];
        }

        foreach (PodUid uid in pods)
        {
            Changed?.Invoke(uid);
        }
    }

    private async Task<IKubernetesObject> GetAsync(ObjectReference reference, CancellationToken cancellationToken)
    {
        Entry? entry;
        lock (_gate)
        {
            entry = _entries.GetValueOrDefault(reference);
        }

        if (entry is null)
        {
            return await ReadAsync(reference, cancellationToken);
        }

        if (entry.Synced is { } synced && !synced.IsCompleted)
        {
            await Task.WhenAny(synced, Task.Delay(_options.SyncLimit, _time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }

        return entry.Held(_time, _options.CacheLife) ?? await ReadAndKeepAsync(entry, cancellationToken);
    }

    // The watch may be a moment behind a pod that names a new object, so absence is settled by a read.
    private async Task<IKubernetesObject> ReadAndKeepAsync(Entry entry, CancellationToken cancellationToken)
    {
        IKubernetesObject value = await ReadAsync(entry.Reference, cancellationToken);
        if (_options.Detection == ObjectChangeDetection.Cache)
        {
            entry.Keep(value, _time.GetTimestamp());
        }

        if (value is Secret { Immutable: true } or ConfigMap { Immutable: true })
        {
            entry.Settle(value);
        }

        return value;
    }

    private async Task<IKubernetesObject> ReadAsync(ObjectReference reference, CancellationToken cancellationToken) => reference.IsSecret
        ? await _sources.Client.GetAsync<Secret>(reference.Namespace, reference.Name, cancellationToken: cancellationToken)
        : await _sources.Client.GetAsync<ConfigMap>(reference.Namespace, reference.Name, cancellationToken: cancellationToken);

    private sealed class Entry(ObjectReference reference)
    {
        private readonly CancellationTokenSource _stop = new();
        private volatile IKubernetesObject? _settled;
        private (IKubernetesObject Value, long ReadAt)? _cached;

        public ObjectReference Reference { get; } = reference;
        public HashSet<PodUid> Pods { get; } = [];
        public Task? Synced { get; set; }
        public Task? Watch { get; set; }
        public Func<IKubernetesObject?>? Current { get; set; }
        public CancellationToken Stopping => _stop.Token;
        public bool IsWatching => Watch is not null && !_stop.IsCancellationRequested;

        public IKubernetesObject? Held(TimeProvider time, TimeSpan life)
        {
            if (_settled is { } settled)
            {
                return settled;
            }

            if (Synced is { IsCompletedSuccessfully: true })
            {
                return Current!();
            }

            lock (_stop)
            {
                return _cached is { } cached && time.GetElapsedTime(cached.ReadAt) < life ? cached.Value : null;
            }
        }

        public void Keep(IKubernetesObject value, long now)
        {
            lock (_stop)
            {
                _cached = (value, now);
            }
        }

        // An immutable object: it is never read again, and its watch ends.
        public void Settle(IKubernetesObject value)
        {
            _settled = value;
            Stop();
        }

        // Off the informer's own loop, where this may be called from.
        public void Stop() => _ = _stop.CancelAsync();
    }

    private sealed class Handler<T>(Action<T?> changed) : IInformerHandler<T>
    {
        public void Added(T item, bool initial) => changed(item);

        public void Updated(T previous, T current) => changed(current);

        public void Deleted(T last) => changed(default);
    }
}
