using NodeAgent.Kubernetes.Metrics;

namespace NodeAgent.Kubelet.Server;

/// <summary>kubelet_http_* metrics. Source: pkg/kubelet/server/metrics.</summary>
internal sealed class ServerMetrics(MetricsRegistry registry, TimeProvider time)
{
    private static readonly string[] Labels = ["long_running", "method", "path", "server_type"];
    private static readonly string[] Paths =
        ["attach", "checkpoint", "configz", "containerLogs", "debug", "exec", "healthz", "logs", "metrics", "pods", "portForward", "run", "runningpods", "stats"];

    private static readonly string[] Methods = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "CONNECT", "TRACE"];
    private static readonly string[] LongRunning = ["exec", "attach", "portForward", "debug"];
    private readonly CounterFamily _requests = registry.Counter("kubelet_http_requests_total", "Number of the http requests received since the server started", Labels);
    private readonly GaugeFamily _inflight = registry.Gauge("kubelet_http_inflight_requests", "Number of the inflight http requests", Labels);
    private readonly HistogramFamily _durations = registry.Histogram(
        "kubelet_http_requests_duration_seconds", "Duration in seconds to serve http requests", MetricsRegistry.DefaultBuckets, Labels);

    public Request Begin(string method, string path, bool readWrite)
    {
        string bucket = Bucket(path);
        return new Request(this, [LongRunning.Contains(bucket) ? "true" : "false", Methods.Contains(method) ? method : "other", bucket, readWrite ? "readwrite" : "readonly"]);
    }

    /// <summary>The path's label: its first segment (metrics/… kept), or other.</summary>
    internal static string Bucket(string path)
    {
        string[] segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        string first = segments.Length > 0 ? segments[0] : "";
        string full = path.Trim('/');
        return full is "metrics/cadvisor" or "metrics/probes" or "metrics/resource" ? full : Paths.Contains(first) ? first : "other";
    }

    public sealed class Request : IDisposable
    {
        private readonly ServerMetrics _owner;
        private readonly string[] _labels;
        private readonly long _begun;

        internal Request(ServerMetrics owner, string[] labels)
        {
            _owner = owner;
            _labels = labels;
            _begun = owner.Now;
            owner._requests.With(labels).Increment();
            owner._inflight.With(labels).Add(1);
        }

        public void Dispose()
        {
            _owner._inflight.With(_labels).Add(-1);
            _owner._durations.With(_labels).Observe(_owner.Elapsed(_begun).TotalSeconds);
        }
    }

    private long Now => time.GetTimestamp();

    private TimeSpan Elapsed(long begun) => time.GetElapsedTime(begun);
}
