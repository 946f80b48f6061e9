using Microsoft.AspNetCore.Http;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Server.SystemLogs;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Server;

/// <summary>What the server shows.</summary>
/// <param name="Pods">The node's pods.</param>
/// <param name="Streams">The runtime.</param>
/// <param name="LogReader">Reads container logs.</param>
/// <param name="HealthChecks">Checks of /healthz; ping is added.</param>
public sealed record KubeletServerContent(IServedPods Pods, IContainerStreams Streams, ContainerLogReader LogReader, IReadOnlyList<HealthCheck> HealthChecks)
{
    /// <summary>/metrics.</summary>
    public required MetricsRegistry Metrics { get; init; }
    /// <summary>/metrics/probes.</summary>
    public required MetricsRegistry ProbeMetrics { get; init; }
    /// <summary>/metrics/resource; null where not available.</summary>
    public Func<CancellationToken, Task<string>>? ResourceMetrics { get; init; }
    /// <summary>/metrics/cadvisor; null where not available.</summary>
    public Func<CancellationToken, Task<string>>? CadvisorMetrics { get; init; }
    /// <summary>/logs/; null = the path answers as with enableSystemLogHandler: false.</summary>
    public SystemLogSources? SystemLogs { get; init; }
}

/// <summary>Finds the endpoint for a path. Authentication and authorization come before.</summary>
internal sealed class KubeletEndpoints
{
    private static readonly string[] Debugging = ["run", "exec", "attach", "portForward", "containerLogs", "runningpods", "logs"];
    private static readonly PathString[] Streams = ["/run", "/exec", "/attach", "/portForward", "/containerLogs", "/logs"];
    private readonly KubeletServerContent _content;
    private readonly KubeletServerOptions _options;
    private readonly HealthzEndpoint _healthz;
    private readonly ContainerLogsEndpoint _logs;
    private readonly StreamingEndpoint _streaming;
    private readonly SystemLogsEndpoint? _systemLogs;

    public KubeletEndpoints(KubeletServerContent content, KubeletServerOptions options)
    {
        _content = content;
        _options = options;
        _healthz = new HealthzEndpoint([new HealthCheck("ping", () => null), .. content.HealthChecks]);
        _logs = new ContainerLogsEndpoint(content.Pods, content.Streams, content.LogReader);
        _streaming = new StreamingEndpoint(content.Pods, content.Streams);
        _systemLogs = content.SystemLogs is { } sources ? new SystemLogsEndpoint(sources, options.SystemLogQuery) : null;
    }

    /// <summary>Whether a path's answer may take for ever.</summary>
    internal static bool IsStream(PathString path) => Streams.Any(stream => path.StartsWithSegments(stream, StringComparison.Ordinal));

    public Task HealthzAsync(HttpContext context) => _healthz.HandleAsync(context);

    /// <summary>Answers; on the read-only port only what is meant for everybody.</summary>
    public Task HandleAsync(HttpContext context, bool readOnly, CancellationToken stopping)
    {
        string path = context.Request.Path.Value ?? "/";
        string[] segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        string first = segments.Length > 0 ? segments[0] : "";
        bool get = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        if (Debugging.Contains(first) && (readOnly || !_options.DebuggingHandlers))
        {
            return context.Response.TextAsync(StatusCodes.Status405MethodNotAllowed, "Debug endpoints are disabled.\n");
        }

        return first switch
        {
            "healthz" when get => _healthz.HandleAsync(context),
            "pods" when get && segments.Length == 1 => PodListAsync(context, _content.Pods.All),
            "metrics" when get => MetricsAsync(context, path.TrimEnd('/')),
            "stats" when get => Unsupported(context, "/stats/summary is not supported by this version; use /metrics/resource"),
            _ when readOnly => NotFound(context),
            "runningpods" when get => RunningPodsAsync(context),
            "configz" when get => _options.Configz is { } configz ? context.Response.JsonAsync(configz()) : NotFound(context),
            "containerLogs" when get => segments.Length == 4 ? _logs.HandleAsync(context, segments[1], segments[2], segments[3]) : NotFound(context),
            "exec" or "attach" or "portForward" or "run" => StreamAsync(context, first, segments, stopping),
            "logs" => _options.SystemLogHandler && _systemLogs is not null
                ? _systemLogs.HandleAsync(context)
                : context.Response.TextAsync(StatusCodes.Status405MethodNotAllowed, "logs endpoint is disabled.\n"),
            "checkpoint" => Unsupported(context, "checkpointing containers is not supported by this version"),
            "debug" => context.Response.TextAsync(StatusCodes.Status405MethodNotAllowed, "profiling endpoint is disabled.\n"),
            _ => NotFound(context),
        };
    }

    private static Task NotFound(HttpContext context) => context.Response.TextAsync(StatusCodes.Status404NotFound, "404 page not found\n");

    private static Task Unsupported(HttpContext context, string text) => context.Response.TextAsync(StatusCodes.Status501NotImplemented, text + "\n");

    private static Task PodListAsync(HttpContext context, IReadOnlyList<Pod> pods) =>
        context.Response.JsonAsync(KubernetesJson.SerializeToUtf8Bytes(new KubernetesList<Pod> { Items = pods }));

    private async Task RunningPodsAsync(HttpContext context) => await PodListAsync(context, await _content.Pods.RunningAsync(context.RequestAborted));

    private async Task MetricsAsync(HttpContext context, string path)
    {
        string? text = path switch
        {
            "/metrics" => _content.Metrics.Write(),
            "/metrics/probes" => _content.ProbeMetrics.Write(),
            "/metrics/resource" when _content.ResourceMetrics is { } resource => await resource(context.RequestAborted),
            "/metrics/cadvisor" when _content.CadvisorMetrics is { } cadvisor => await cadvisor(context.RequestAborted),
            _ => null,
        };
        await (text is null ? NotFound(context)
            : context.Response.BytesAsync(StatusCodes.Status200OK, MetricsRegistry.ContentType, System.Text.Encoding.UTF8.GetBytes(text)));
    }

    private async Task StreamAsync(HttpContext context, string verb, string[] segments, CancellationToken stopping)
    {
        bool run = verb == "run";
        bool method = HttpMethods.IsPost(context.Request.Method) || (!run && HttpMethods.IsGet(context.Request.Method));
        if (!method)
        {
            await context.Response.TextAsync(StatusCodes.Status405MethodNotAllowed, "405: Method Not Allowed");
            return;
        }

        if (StreamTarget.Parse(segments.AsSpan(1), verb != "portForward") is not { } target)
        {
            await NotFound(context);
            return;
        }

        try
        {
            await (verb switch
            {
                "exec" => _streaming.ExecAsync(context, target, stopping),
                "attach" => _streaming.AttachAsync(context, target, stopping),
                "portForward" => _streaming.PortForwardAsync(context, target, stopping),
                _ => _streaming.RunAsync(context, target),
            });
        }
        catch (StreamingException e) when (!context.Response.HasStarted)
        {
            if (e.StatusCode == StatusCodes.Status429TooManyRequests)
            {
                context.Response.Headers.RetryAfter = "1";
            }

            await context.Response.TextAsync(e.StatusCode, e.Message);
        }
    }
}
