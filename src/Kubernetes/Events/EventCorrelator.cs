using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Flow;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Events;

/// <summary>What to do with an event: create it, or patch the one that was sent before.</summary>
/// <param name="Event">The event, with its count.</param>
/// <param name="Patch">The change to the earlier event; null to create.</param>
internal sealed record EventDecision(Event Event, Patch? Patch);

/// <summary>
/// Merges and limits events as upstream (client-go tools/record/events_cache.go): ten or more that differ in their text only within
/// ten minutes become one; repeated ones become a count; a source has 25 events for an object and type, then one in five minutes.
/// </summary>
internal sealed class EventCorrelator(TimeProvider time)
{
    private const int CacheSize = 4096;
    private const int MaximumSimilar = 10;
    private const int SpamBurst = 25;
    private const double SpamPerSecond = 1.0 / 300;
    private const string CombinedPrefix = "(combined from similar events): ";
    private static readonly TimeSpan SimilarWithin = TimeSpan.FromSeconds(600);
    private readonly LruCache<Similar> _similar = new(CacheSize);
    private readonly LruCache<Observation> _observed = new(CacheSize);
    private readonly LruCache<RateLimiter> _spam = new(CacheSize);

    /// <summary>Null when the event is one too many.</summary>
    internal EventDecision? Decide(Event value)
    {
        (Event aggregated, string key) = Aggregate(value);
        EventDecision decision = Observe(aggregated, key);
        string spamKey = Join(ObjectKey(value, fieldPath: false), value.Type);
        if (!_spam.TryGet(spamKey, out RateLimiter limiter))
            _spam.Set(spamKey, limiter = new RateLimiter(SpamPerSecond, SpamBurst, time));
        return limiter.TryAccept() ? decision : null;
    }

    /// <summary>The server has an event: it keeps the name and the count it was sent with.</summary>
    internal void Stored(Event value) => Remember(EventKey(value), value);

    private (Event Event, string Key) Aggregate(Event value)
    {
        DateTimeOffset now = time.GetUtcNow();
        string group = Join(ObjectKey(value, fieldPath: false), value.Type, value.Reason, value.ReportingComponent, value.ReportingInstance);
        if (!_similar.TryGet(group, out Similar similar) || now - similar.Last > SimilarWithin)
            similar = new Similar([], now);
        similar.Messages.Add(value.Message ?? "");
        _similar.Set(group, similar with { Last = now });
        if (similar.Messages.Count < MaximumSimilar)
            return (value, EventKey(value));
        similar.Messages.Remove(similar.Messages.First());
        Event combined = value with
        {
            Metadata = new ObjectMeta { Name = EventNames.Next(value.InvolvedObject.Name, now), Namespace = value.Metadata.Namespace },
            Count = 1,
            FirstTimestamp = now,
            LastTimestamp = now,
            Message = CombinedPrefix + value.Message,
        };
        return (combined, group);
    }

    private EventDecision Observe(Event value, string key)
    {
        if (!_observed.TryGet(key, out Observation last) || last.Count == 0)
        {
            Remember(key, value);
            return new EventDecision(value, null);
        }
        Event counted = value with
        {
            Metadata = value.Metadata with { Name = last.Name },
            FirstTimestamp = last.First,
            Count = last.Count + 1,
        };
        Remember(key, counted);
        JsonObject whole = KubernetesJson.SerializeToNode(counted);
        JsonObject patch = [];
        foreach (string field in (string[])["count", "lastTimestamp", "message"])
            patch[field] = whole[field]?.DeepClone();
        return new EventDecision(counted, Patch.StrategicMerge(patch));
    }

    private void Remember(string key, Event value) => _observed.Set(
        key, new Observation(value.Count ?? 0, value.FirstTimestamp, value.Metadata.Name ?? ""));

    private static string EventKey(Event value) => Join(ObjectKey(value, fieldPath: true), value.Type, value.Reason, value.Message);

    private static string ObjectKey(Event value, bool fieldPath)
    {
        ObjectReference about = value.InvolvedObject;
        return Join(value.Source?.Component, value.Source?.Host, about.Kind, about.Namespace, about.Name,
            fieldPath ? about.FieldPath : null, about.Uid, about.ApiVersion);
    }

    private static string Join(params ReadOnlySpan<string?> parts) => string.Join('\u0001', parts);

    private sealed record Similar(HashSet<string> Messages, DateTimeOffset Last);

    private readonly record struct Observation(int Count, DateTimeOffset? First, string Name);
}
