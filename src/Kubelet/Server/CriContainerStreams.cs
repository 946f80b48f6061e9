using Microsoft.AspNetCore.Http;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using ContainerState = NodeAgent.Cri.V1.ContainerState;

namespace NodeAgent.Kubelet.Server;

/// <summary>The streaming calls over the CRI. Failures become <see cref="StreamingException"/> with the status a client sees.</summary>
/// <param name="runtime">CRI runtime service.</param>
public sealed class CriContainerStreams(IRuntimeService runtime) : IContainerStreams
{
    /// <inheritdoc/>
    public Task<Uri> ExecAsync(string containerId, IReadOnlyList<string> command, StreamOptions options, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        ExecRequest request = new() { ContainerId = containerId, Tty = options.Tty, Stdin = options.Stdin, Stdout = options.Stdout, Stderr = options.Stderr };
        request.Cmd.AddRange(command);
        return Target((await runtime.ExecAsync(request, cancellationToken)).Url);
    });

    /// <inheritdoc/>
    public Task<Uri> AttachAsync(string containerId, StreamOptions options, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        AttachRequest request = new() { ContainerId = containerId, Tty = options.Tty, Stdin = options.Stdin, Stdout = options.Stdout, Stderr = options.Stderr };
        return Target((await runtime.AttachAsync(request, cancellationToken)).Url);
    });

    /// <inheritdoc/>
    public Task<Uri> PortForwardAsync(string sandboxId, IReadOnlyList<int> ports, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        PortForwardRequest request = new() { PodSandboxId = sandboxId };
        request.Port.AddRange(ports);
        return Target((await runtime.PortForwardAsync(request, cancellationToken)).Url);
    });

    /// <inheritdoc/>
    public Task<(byte[] Output, int ExitCode)> ExecSyncAsync(string containerId, IReadOnlyList<string> command, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        ExecSyncRequest request = new() { ContainerId = containerId };
        request.Cmd.AddRange(command);
        ExecSyncResponse response = await runtime.ExecSyncAsync(request, cancellationToken);
        return ((byte[])[.. response.Stdout.Span, .. response.Stderr.Span], response.ExitCode);
    });

    /// <inheritdoc/>
    public Task<bool> IsRunningAsync(string containerId, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        try
        {
            ContainerStatusResponse response = await runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = containerId }, cancellationToken);
            return response.Status?.State == ContainerState.ContainerRunning;
        }
        catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
        {
            return false;
        }
    });

    private static Uri Target(string url) => Uri.TryCreate(url, UriKind.Absolute, out Uri? target) && target.Scheme is "http" or "https"
        ? target : throw new StreamingException(StatusCodes.Status500InternalServerError, "the runtime gave no http address for streaming");

    private static async Task<T> CallAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (CriException e)
        {
            int status = e.Kind switch
            {
                CriErrorKind.NotFound => StatusCodes.Status404NotFound,
                CriErrorKind.ResourceExhausted => StatusCodes.Status429TooManyRequests,
                _ => StatusCodes.Status500InternalServerError,
            };
            throw new StreamingException(status, e.Detail, e);
        }
    }
}
