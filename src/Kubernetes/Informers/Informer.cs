using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Informers;

/// <summary>An informer that keeps the API objects themselves.</summary>
/// <typeparam name="T">The API kind.</typeparam>
public sealed class Informer<T> : Informer<T, T>
    where T : class, IKubernetesResource<T>
{
    /// <summary>Starts nothing before <see cref="Informer{T,TItem}.RunAsync"/>.</summary>
    public Informer(
        IKubernetesClient client, InformerOptions options, ILogger logger, TimeProvider? time = null,
        IReadOnlyDictionary<string, Func<T, IEnumerable<string>>>? indexes = null)
        : base(client, options, Whole(indexes), logger, time)
    {
    }

    private static InformerProjection<T, T> Whole(IReadOnlyDictionary<string, Func<T, IEnumerable<string>>>? indexes)
    {
        InformerProjection<T, T> whole = new() { Transform = static value => value };
        return indexes is null ? whole : whole with { Indexes = indexes };
    }
}

/// <summary>
/// Keeps a projection of every object of a kind and tells handlers each change once: after a break the new list is compared with
/// what is held, and the differences are told as if they had been watched. An object replaced by another of the same name is told
/// as deleted and added.
/// </summary>
/// <typeparam name="T">The API kind.</typeparam>
/// <typeparam name="TItem">What is kept of an object; keep it small, the object itself is let go.</typeparam>
public partial class Informer<T, TItem> : IInformer<TItem>
    where T : class, IKubernetesResource<T>
    where TItem : class
{
    private readonly Lock _gate = new();
    private Registration[] _registrations = [];
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Func<T, TItem?> _transform;
    private readonly Indexer<TItem> _indexer;
    private readonly Reflector<T> _reflector;
    private readonly ILogger _logger;

    /// <summary>Starts nothing before <see cref="RunAsync"/>.</summary>
    public Informer(
        IKubernetesClient client, InformerOptions options, InformerProjection<T, TItem> projection, ILogger logger, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(projection);
        _transform = projection.Transform;
        _indexer = new Indexer<TItem>(projection.Indexes);
        _logger = logger;
        _reflector = new Reflector<T>(client, options, new Target(this), time ?? TimeProvider.System, logger);
    }

    /// <inheritdoc/>
    public ILister<TItem> Lister => _indexer;

    /// <inheritdoc/>
    public Task HasSynced => _synced.Task;

    /// <inheritdoc/>
    public IInformerRegistration AddHandler(IInformerHandler<TItem> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        lock (_gate)
        {
            Registration registration = new(this, handler);
            foreach (TItem item in _indexer.List())
                Tell(registration, item, static (to, value) => to.Added(value, initial: true));
            _registrations = [.. _registrations, registration];
            if (_synced.Task.IsCompleted)
                registration.Complete();
            return registration;
        }
    }

    /// <inheritdoc/>
    public Task RunAsync(CancellationToken cancellationToken) => _reflector.RunAsync(cancellationToken);

    private Held<TItem>? Project(T value) =>
        _transform(value) is { } item ? new Held<TItem>(item, value.Metadata.Uid ?? "", value.Metadata.ResourceVersion ?? "") : null;

    private void Put(NamespacedName name, Held<TItem> held, bool initial)
    {
        bool known = _indexer.TryGet(name, out Held<TItem> previous);
        if (known && previous.Uid == held.Uid)
        {
            if (previous.ResourceVersion == held.ResourceVersion && held.ResourceVersion.Length > 0)
                return;
            _indexer.Put(name, held);
            TellAll((previous.Item, held.Item), static (to, pair) => to.Updated(pair.Item1, pair.Item2));
            return;
        }
        if (known)
            Remove(name);
        _indexer.Put(name, held);
        TellAll((held.Item, initial), static (to, added) => to.Added(added.Item, added.initial));
    }

    private void Remove(NamespacedName name, TItem? last = null)
    {
        if (!_indexer.TryGet(name, out Held<TItem> previous))
            return;
        _indexer.Remove(name);
        TellAll(last ?? previous.Item, static (to, item) => to.Deleted(item));
    }

    private void TellAll<TState>(TState state, Action<IInformerHandler<TItem>, TState> call)
    {
        foreach (Registration registration in _registrations)
            Tell(registration, state, call);
    }

    private void Tell<TState>(Registration registration, TState state, Action<IInformerHandler<TItem>, TState> call)
    {
        try
        {
            call(registration.Handler, state);
        }
#pragma warning disable CA1031 // One handler's defect may not stop the others or the watch.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogHandlerFailed(e, registration.Handler.GetType().Name, ResourceOf<T>.Type.Plural);
        }
    }

    private void Synced()
    {
        if (!_synced.TrySetResult())
            return;
        foreach (Registration registration in _registrations)
            registration.Complete();
    }

    private void Forget(Registration registration)
    {
        lock (_gate)
            _registrations = [.. _registrations.Where(other => other != registration)];
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Handler} failed on a change of {Resource}")]
    private partial void LogHandlerFailed(Exception exception, string handler, string resource);

    private sealed class Registration(Informer<T, TItem> owner, IInformerHandler<TItem> handler) : IInformerRegistration
    {
        private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task HasSynced => _synced.Task;

        internal IInformerHandler<TItem> Handler => handler;

        internal void Complete() => _synced.TrySetResult();

        public void Dispose() => owner.Forget(this);
    }

    private sealed class Target(Informer<T, TItem> owner) : IReflectorTarget<T>
    {
        public IReplacement<T> BeginReplace() => new Replacement(owner);

        public void Apply(WatchEventType type, T value)
        {
            NamespacedName name = NamespacedName.Of(value);
            Held<TItem>? held = owner.Project(value);
            lock (owner._gate)
            {
                if (type != WatchEventType.Deleted && held is { } now)
                    owner.Put(name, now, initial: false);
                else
                    owner.Remove(name, held?.Item);
            }
        }
    }

    private sealed class Replacement(Informer<T, TItem> owner) : IReplacement<T>
    {
        private readonly Dictionary<NamespacedName, Held<TItem>> _items = [];

        public bool IsEmpty { get; private set; } = true;

        public void Put(T value)
        {
            IsEmpty = false;
            NamespacedName name = NamespacedName.Of(value);
            if (owner._indexer.TryGet(name, out Held<TItem> known)
                && known.Uid == value.Metadata.Uid && known.ResourceVersion == value.Metadata.ResourceVersion)
                _items[name] = known;
            else if (owner.Project(value) is { } held)
                _items[name] = held;
            else
                _items.Remove(name);
        }

        public void Remove(T value) => _items.Remove(NamespacedName.Of(value));

        public void Commit()
        {
            lock (owner._gate)
            {
                bool initial = !owner._synced.Task.IsCompleted;
                NamespacedName[] before = [.. owner._indexer.Names()];
                // What came before what went, as client-go: one object in another's place leaves no gap in what handlers know.
                foreach ((NamespacedName name, Held<TItem> held) in _items)
                    owner.Put(name, held, initial);
                foreach (NamespacedName name in before)
                {
                    if (!_items.ContainsKey(name))
                        owner.Remove(name);
                }
                owner.Synced();
            }
        }
    }
}
