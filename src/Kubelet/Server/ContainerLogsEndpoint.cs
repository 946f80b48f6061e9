using Microsoft.AspNetCore.Http;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Server;

/// <summary>/containerLogs/{namespace}/{pod}/{container}. Source: getContainerLogs in pkg/kubelet/server/server.go.</summary>
/// <param name="pods">The node's pods.</param>
/// <param name="streams">The runtime.</param>
/// <param name="reader">Reads log files.</param>
internal sealed class ContainerLogsEndpoint(IServedPods pods, IContainerStreams streams, ContainerLogReader reader)
{
    public async Task HandleAsync(HttpContext context, string @namespace, string name, string container)
    {
        HttpResponse response = context.Response;
        switch (PodLogQuery.TryParse(key => context.Request.Query.TryGetValue(key, out var values) ? (string?)values[0] : null, out PodLogOptions options))
        {
            case PodLogOptionsError.Undecodable:
                await response.TextAsync(StatusCodes.Status400BadRequest, "{\"message\": \"Unable to decode query.\"}");
                return;
            case PodLogOptionsError.Invalid:
                await response.TextAsync(StatusCodes.Status422UnprocessableEntity, "{\"message\": \"Invalid request.\"}");
                return;
        }

        if (pods.Find(@namespace, name) is not { } pod)
        {
            await response.TextAsync(StatusCodes.Status404NotFound, $"pod \"{name}\" does not exist");
            return;
        }

        if (!HasContainer(pod, container))
        {
            await response.TextAsync(StatusCodes.Status404NotFound, $"container \"{container}\" not found in pod \"{name}\"");
            return;
        }

        await CopyAsync(context, pod, container, options);
    }

    private async Task CopyAsync(HttpContext context, Pod pod, string container, PodLogOptions options)
    {
        (string? id, string? error) = ContainerLogTarget.Find(pod, container, options.Previous);
        string? path = id is null ? null : LogPath(pod, id);
        if (path is null || !ContainerId.TryParse(id, out ContainerId containerId))
        {
            await context.Response.TextAsync(StatusCodes.Status400BadRequest,
                error ?? $"the log of container \"{container}\" in pod \"{pod.Metadata.Name}\" is gone: the runtime does not have the container any more");
            return;
        }

        context.Response.ContentType = "text/plain";
        try
        {
            await reader.ReadAsync(path, options, token => IsRunningAsync(containerId.Id, token), new ResponseSink(context.Response), context.RequestAborted);
            await context.Response.StartAsync(context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has seen enough.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !context.Response.HasStarted)
        {
            await context.Response.TextAsync(StatusCodes.Status400BadRequest, $"failed to try resolving symlinks in path \"{path}\": {e.Message}");
        }
    }

    private async ValueTask<bool> IsRunningAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return await streams.IsRunningAsync(id, cancellationToken);
        }
        catch (StreamingException)
        {
            return true; // The runtime is away for now; following goes on until it says otherwise.
        }
    }

    private string? LogPath(Pod pod, string id)
    {
        RuntimeContainerStatus? found = ContainerId.TryParse(id, out ContainerId container)
            ? pods.Observed(pod.Uid)?.Containers.FirstOrDefault(c => c.Id.Id == container.Id) : null;
        return string.IsNullOrEmpty(found?.LogPath) ? null : found.LogPath;
    }

    private static bool HasContainer(Pod pod, string container) =>
        pod.Spec.Containers.Any(c => c.Name == container) || pod.Spec.InitContainers.Any(c => c.Name == container)
        || pod.Spec.EphemeralContainers.Any(c => c.Name == container);

    private sealed class ResponseSink(HttpResponse response) : ILogSink
    {
        public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            await response.Body.WriteAsync(bytes, cancellationToken);
            await response.Body.FlushAsync(cancellationToken);
        }
    }
}
