using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Health;

namespace NodeAgent.Composition;

/// <summary>The proxy's two HTTP servers: health (10256) and metrics (10249). A port that is taken is tried again, or fatal, as configured.</summary>
internal sealed partial class ProxyServers(
    KubeProxyConfiguration configuration, ProxyHealth health, ProxyMetrics metrics, MetricsRegistry registry, TimeProvider time, ILogger<ProxyServers> logger)
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);

    /// <summary>Called before a failure to bind becomes fatal: event reason and message.</summary>
    public event Action<string, string>? Failed;

    /// <summary>Serves until cancelled.</summary>
    public Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(
        ServeAsync("healthzBindAddress", configuration.HealthzBindAddress, "FailedToStartProxierHealthcheck", Health, cancellationToken),
        ServeAsync("metricsBindAddress", configuration.MetricsBindAddress, "FailedToStartMetricServer", Metrics, cancellationToken));

    private async Task ServeAsync(string field, string address, string reason, Func<HttpRequest, HttpAnswer> answer, CancellationToken cancellationToken)
    {
        if (!SloppyAddress.TryParseWithPort(address, out IPAddress ip, out int port))
        {
            return;
        }

        bool told = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await using HttpListeners listeners = await HttpListeners.StartAsync([new IPEndPoint(ip, port)], oneFamily: false, answer, cancellationToken);
                await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (IOException e)
            {
                if (configuration.BindAddressHardFail)
                {
                    Failed?.Invoke(reason, e.Message);
                    throw new InvalidOperationException($"{field}: {e.Message}; free the port, or set bindAddressHardFail to false", e);
                }

                if (!told)
                {
                    LogRetried(field, e.Message, (int)Again.TotalSeconds);
                }

                told = true;
                await Task.Delay(Again, time, cancellationToken);
            }
        }
    }

    private HttpAnswer Health(HttpRequest request)
    {
        bool livez = request.Path == "/livez";
        if (!livez && request.Path != "/healthz")
        {
            return HttpAnswer.Text(StatusCodes.Status404NotFound, "404 page not found\n");
        }

        (int code, string json) = health.Report(withEligibility: !livez);
        metrics.HealthAnswered(livez, code);
        return HttpAnswer.Json(code, json);
    }

    private HttpAnswer Metrics(HttpRequest request) => request.Path.Value switch
    {
        "/metrics" => new HttpAnswer(StatusCodes.Status200OK, MetricsRegistry.ContentType, registry.Write()),
        "/healthz" or "/healthz/ping" => HttpAnswer.Text(StatusCodes.Status200OK, "ok"),
        "/proxyMode" => HttpAnswer.Text(StatusCodes.Status200OK, configuration.Mode.Length == 0 ? "iptables" : configuration.Mode),
        "/configz" => HttpAnswer.Json(StatusCodes.Status200OK,
            new JsonObject { ["kubeproxy.config.k8s.io"] = KubeProxyConfigurationTable.Fields.Encode(configuration) }.ToJsonString()),
        _ => HttpAnswer.Text(StatusCodes.Status404NotFound, "404 page not found\n"),
    };

    [LoggerMessage(4130, LogLevel.Error, "{Field}: {Error}; tried again each {Seconds} s")]
    private partial void LogRetried(string field, string error, int seconds);
}
