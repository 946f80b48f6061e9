using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Server;

/// <summary>The node's pods as the server shows them. The pod core implements it.</summary>
public interface IServedPods
{
    /// <summary>All pods of all sources, each with its newest status.</summary>
    IReadOnlyList<Pod> All { get; }

    /// <summary>The pod of that name with its newest status; null where the node has none.</summary>
    Pod? Find(string @namespace, string name);

    /// <summary>What the runtime has of the pod; null where not observed.</summary>
    RuntimePodStatus? Observed(PodUid uid);

    /// <summary>Pods made from what the runtime runs.</summary>
    Task<IReadOnlyList<Pod>> RunningAsync(CancellationToken cancellationToken);
}

/// <summary>Which streams an exec or attach wants.</summary>
/// <param name="Stdin">input=1.</param>
/// <param name="Stdout">output=1.</param>
/// <param name="Stderr">error=1; never with a terminal.</param>
/// <param name="Tty">tty=1.</param>
public sealed record StreamOptions(bool Stdin, bool Stdout, bool Stderr, bool Tty)
{
    /// <summary>Reads a query; null where no stream is asked for. Pure.</summary>
    public static StreamOptions? Parse(Func<string, string?> query)
    {
        bool On(string name) => query(name) is { } v && (v == "1" || v.Equals("true", StringComparison.OrdinalIgnoreCase));
        bool tty = On("tty");
        StreamOptions options = new(On("input"), On("output"), On("error") && !tty, tty);
        return options.Stdin || options.Stdout || options.Stderr ? options : null;
    }
}

/// <summary>The runtime's streaming calls. Throws CriException with its status code.</summary>
public interface IContainerStreams
{
    /// <summary>CRI Exec.</summary>
    Task<Uri> ExecAsync(string containerId, IReadOnlyList<string> command, StreamOptions options, CancellationToken cancellationToken);

    /// <summary>CRI Attach.</summary>
    Task<Uri> AttachAsync(string containerId, StreamOptions options, CancellationToken cancellationToken);

    /// <summary>CRI PortForward.</summary>
    Task<Uri> PortForwardAsync(string sandboxId, IReadOnlyList<int> ports, CancellationToken cancellationToken);

    /// <summary>CRI ExecSync; standard output then standard error, and the exit code.</summary>
    Task<(byte[] Output, int ExitCode)> ExecSyncAsync(string containerId, IReadOnlyList<string> command, CancellationToken cancellationToken);

    /// <summary>Asks the runtime whether a container runs; false where it is gone.</summary>
    Task<bool> IsRunningAsync(string containerId, CancellationToken cancellationToken);
}

/// <summary>A call to the runtime failed in a way a client should see.</summary>
/// <param name="statusCode">HTTP status: 404, 429 or 500.</param>
/// <param name="message">Text for the client.</param>
/// <param name="inner">The cause.</param>
public sealed class StreamingException(int statusCode, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>HTTP status.</summary>
    public int StatusCode { get; } = statusCode;
}

/// <summary>One check of /healthz.</summary>
/// <param name="Name">e.g. syncloop.</param>
/// <param name="Error">Why it fails; null while it does not.</param>
public sealed record HealthCheck(string Name, Func<string?> Error);
