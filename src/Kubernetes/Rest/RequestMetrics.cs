using System.Globalization;
using NodeAgent.Kubernetes.Metrics;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>rest_client_* metrics of all clients that share it. Source: component-base/metrics/prometheus/restclient/metrics.go.</summary>
public sealed class RequestMetrics
{
    private const string NoAnswer = "<error>";
    private static readonly double[] Seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
    private readonly CounterFamily _requests;
    private readonly HistogramFamily _took;
    private readonly HistogramFamily _waited;

    /// <summary>Declares the metrics.</summary>
    public RequestMetrics(MetricsRegistry registry)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _requests = registry.Counter("rest_client_requests_total", "Requests to the API server, each try of one.", "code", "method", "host");
        _took = registry.Histogram("rest_client_request_duration_seconds", "Time from sending a request to the end of its answer, watches left out, in seconds.", Seconds, "verb", "host");
        _waited = registry.Histogram("rest_client_rate_limiter_duration_seconds", "Time a request waited for its turn in the client, in seconds.", Seconds, "verb", "host");
    }

    /// <summary>A try has ended with a status, or without any answer (null).</summary>
    internal void Answered(HttpMethod method, string host, int? code) =>
        _requests.With(code?.ToString(CultureInfo.InvariantCulture) ?? NoAnswer, method.Method, host).Increment();

    /// <summary>A request that is no watch has ended, with all its tries.</summary>
    internal void Took(HttpMethod method, string host, TimeSpan time) => _took.With(method.Method, host).Observe(time.TotalSeconds);

    /// <summary>A request had its turn.</summary>
    internal void Waited(HttpMethod method, string host, TimeSpan time) => _waited.With(method.Method, host).Observe(time.TotalSeconds);
}
