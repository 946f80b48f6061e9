using System.Globalization;
using Microsoft.AspNetCore.Http;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Server;

/// <summary>/exec, /attach, /portForward and /run. Source: pkg/kubelet/server/server.go, kubelet_pods.go (GetExec, GetAttach, GetPortForward).</summary>
/// <param name="pods">The node's pods.</param>
/// <param name="streams">The runtime.</param>
internal sealed class StreamingEndpoint(IServedPods pods, IContainerStreams streams)
{
    public async Task ExecAsync(HttpContext context, StreamTarget target, CancellationToken stopping)
    {
        if (await OptionsAsync(context) is not { } options || await PodAsync(context, target) is not { } pod)
        {
            return;
        }

        string[] command = [.. context.Request.Query["command"].OfType<string>()];
        string id = Container(pod, target);
        await UpgradeProxy.ForwardAsync(context, await streams.ExecAsync(id, command, options, context.RequestAborted), stopping);
    }

    public async Task AttachAsync(HttpContext context, StreamTarget target, CancellationToken stopping)
    {
        if (await OptionsAsync(context) is not { } options || await PodAsync(context, target) is not { } pod)
        {
            return;
        }

        string id = Container(pod, target);
        bool tty = IsTty(pod, target.Container);
        StreamOptions asSpecified = options with { Tty = tty, Stderr = options.Stderr && !tty };
        await UpgradeProxy.ForwardAsync(context, await streams.AttachAsync(id, asSpecified, context.RequestAborted), stopping);
    }

    public async Task PortForwardAsync(HttpContext context, StreamTarget target, CancellationToken stopping)
    {
        if (!TryPorts(context.Request, out List<int> ports, out string error))
        {
            await context.Response.TextAsync(StatusCodes.Status400BadRequest, error);
            return;
        }

        if (await PodAsync(context, target) is not { } pod)
        {
            return;
        }

        RuntimeSandboxStatus? sandbox = Matching(pod, target)?.Sandboxes.FirstOrDefault(s => s.State == RuntimeSandboxState.Ready);
        if (sandbox is null)
        {
            throw new StreamingException(StatusCodes.Status500InternalServerError, $"pod not found (\"{pod.Metadata.Name}_{pod.Metadata.Namespace}\")");
        }

        await UpgradeProxy.ForwardAsync(context, await streams.PortForwardAsync(sandbox.Id, ports, context.RequestAborted), stopping);
    }

    public async Task RunAsync(HttpContext context, StreamTarget target)
    {
        if (await PodAsync(context, target) is not { } pod)
        {
            return;
        }

        string[] command = ((string?)context.Request.Query["cmd"].FirstOrDefault() ?? "").Split(' ');
        (byte[] output, int exitCode) = await streams.ExecSyncAsync(Container(pod, target), command, context.RequestAborted);
        if (exitCode != 0)
        {
            throw new StreamingException(StatusCodes.Status500InternalServerError,
                string.Create(CultureInfo.InvariantCulture, $"command '{string.Join(' ', command)}' exited with {exitCode}: {System.Text.Encoding.UTF8.GetString(output)}"));
        }

        await context.Response.BytesAsync(StatusCodes.Status200OK, "text/plain", output);
    }

    /// <summary>Reads the port query of an old WebSocket client; others send ports inside the stream. Pure.</summary>
    internal static bool TryPorts(HttpRequest request, out List<int> ports, out string error)
    {
        ports = [];
        error = "";
        bool webSocket = request.Headers.Upgrade.Any(u => "websocket".Equals(u, StringComparison.OrdinalIgnoreCase));
        bool tunnel = request.Headers.SecWebSocketProtocol.Any(p => p?.Contains("SPDY/3.1+portforward.k8s.io", StringComparison.Ordinal) == true);
        if (!webSocket || tunnel)
        {
            return true;
        }

        foreach (string text in request.Query["port"].OfType<string>().SelectMany(p => p.Split(',')))
        {
            if (!ushort.TryParse(text, CultureInfo.InvariantCulture, out ushort port))
            {
                error = $"unable to parse port \"{text}\"";
                return false;
            }

            if (port == 0)
            {
                error = $"port \"{text}\" must be > 0";
                return false;
            }

            ports.Add(port);
        }

        error = ports.Count == 0 ? "query parameter \"port\" is required" : "";
        return ports.Count > 0;
    }

    private static async Task<StreamOptions?> OptionsAsync(HttpContext context)
    {
        StreamOptions? options = StreamOptions.Parse(key => context.Request.Query.TryGetValue(key, out var values) ? (string?)values[0] : null);
        if (options is null)
        {
            await context.Response.TextAsync(StatusCodes.Status400BadRequest, "you must specify at least 1 of stdin, stdout, stderr");
        }

        return options;
    }

    private async Task<Pod?> PodAsync(HttpContext context, StreamTarget target)
    {
        Pod? pod = pods.Find(target.Namespace, target.Pod);
        if (pod is null)
        {
            await context.Response.TextAsync(StatusCodes.Status404NotFound, "pod does not exist");
        }

        return pod;
    }

    private RuntimePodStatus? Matching(Pod pod, StreamTarget target) =>
        target.Uid is null || target.Uid == pod.Uid.Value || pod.IsStatic ? pods.Observed(pod.Uid) : null;

    private string Container(Pod pod, StreamTarget target) =>
        Matching(pod, target)?.Containers.FirstOrDefault(c => c.Name == target.Container && c.State == RuntimeContainerState.Running)?.Id.Id
        ?? throw new StreamingException(StatusCodes.Status500InternalServerError, $"container not found (\"{target.Container}\")");

    private static bool IsTty(Pod pod, string container) =>
        pod.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(c => c.Name == container)?.Tty
        ?? pod.Spec.EphemeralContainers.FirstOrDefault(c => c.Name == container)?.Tty ?? false;
}

/// <summary>What a path such as /exec/ns/pod[/uid]/container names.</summary>
/// <param name="Namespace">Namespace.</param>
/// <param name="Pod">Pod.</param>
/// <param name="Uid">UID; null where the path has none.</param>
/// <param name="Container">Container; "" for port forwarding.</param>
internal sealed record StreamTarget(string Namespace, string Pod, string? Uid, string Container)
{
    /// <summary>Reads the segments after the verb; null where their number is wrong.</summary>
    public static StreamTarget? Parse(ReadOnlySpan<string> segments, bool withContainer) => (segments.Length, withContainer) switch
    {
        (3, true) => new StreamTarget(segments[0], segments[1], null, segments[2]),
        (4, true) => new StreamTarget(segments[0], segments[1], segments[2], segments[3]),
        (2, false) => new StreamTarget(segments[0], segments[1], null, ""),
        (3, false) => new StreamTarget(segments[0], segments[1], segments[2], ""),
        _ => null,
    };
}
