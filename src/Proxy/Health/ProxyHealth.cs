using System.Globalization;
using System.Text;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Health;

/// <summary>
/// Knows whether each family keeps up with its changes and whether the node takes load balancer traffic.
/// Source: pkg/proxy/healthcheck/proxy_health.go.
/// </summary>
/// <param name="timeout">A change may wait so long, twice the sync period.</param>
/// <param name="time">Clock.</param>
public sealed class ProxyHealth(TimeSpan timeout, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<IPFamily, DateTimeOffset> _updated = [];
    private readonly Dictionary<IPFamily, DateTimeOffset> _oldestQueued = [];
    private bool _eligible;

    /// <summary>A family is in order as of now.</summary>
    public void Updated(IPFamily family)
    {
        lock (_lock)
        {
            _updated[family] = time.GetUtcNow();
            _oldestQueued.Remove(family);
        }
    }

    /// <summary>A change waits for a family.</summary>
    public void Queued(IPFamily family)
    {
        lock (_lock)
        {
            _oldestQueued.TryAdd(family, time.GetUtcNow());
        }
    }

    /// <summary>The own Node as last seen; null where it is gone, which counts as before.</summary>
    public void Observe(Node? node)
    {
        if (node is not null)
        {
            lock (_lock)
            {
                _eligible = node.Metadata.DeletionTimestamp is null
                    && !(node.Spec?.Taints.Any(t => t.Key == "ToBeDeletedByClusterAutoscaler") ?? false);
            }
        }
    }

    /// <summary>True where each family keeps up.</summary>
    public bool IsHealthy
    {
        get
        {
            lock (_lock)
            {
                DateTimeOffset now = time.GetUtcNow();
                return _updated.Keys.All(f => Healthy(f, now));
            }
        }
    }

    /// <summary>The answer of /healthz (with eligibility) or /livez.</summary>
    /// <returns>Status code and JSON.</returns>
    public (int Code, string Json) Report(bool withEligibility)
    {
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            bool healthy = _updated.Keys.All(f => Healthy(f, now));
            bool good = healthy && (!withEligibility || _eligible);
            DateTimeOffset last = good ? now : _updated.Values.DefaultIfEmpty(DateTimeOffset.MinValue).Max();
            var json = new StringBuilder($"{{\"lastUpdated\":\"{Stamp(last)}\",\"currentTime\":\"{Stamp(now)}\"");
            if (withEligibility)
            {
                json.Append($",\"nodeEligible\":{Bool(_eligible)}");
            }

            json.Append($",\"healthy\":{Bool(healthy)},\"status\":{{");
            json.AppendJoin(',', _updated.Select(f => $"\"{f.Key}\":{{\"lastUpdated\":\"{Stamp(f.Value)}\",\"healthy\":{Bool(Healthy(f.Key, now))}}}"));
            return (good ? 200 : 503, json.Append("}}").ToString());
        }
    }

    private bool Healthy(IPFamily family, DateTimeOffset now) => !_oldestQueued.TryGetValue(family, out DateTimeOffset queued) || now - queued < timeout;

    private static string Bool(bool value) => value ? "true" : "false";

    /// <summary>Go's RFC3339Nano: no trailing zeros.</summary>
    private static string Stamp(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);
}
