namespace NodeAgent.Cri.Events;

/// <summary>What a notice says.</summary>
public enum CriEventKind
{
    /// <summary>A stream is open from here on: everything must be relisted once, since events before it are lost. Id is empty.</summary>
    Connected,
    /// <summary>The stream ended; another attempt follows by itself. Id is empty.</summary>
    Disconnected,
    /// <summary>The runtime has no event stream of a kind we know; nothing follows. Id is empty.</summary>
    Unsupported,
    /// <summary>Created.</summary>
    Created,
    /// <summary>Started.</summary>
    Started,
    /// <summary>Exited or was stopped.</summary>
    Stopped,
    /// <summary>Removed.</summary>
    Deleted,
    /// <summary>The kernel killed something in it for want of memory.</summary>
    OutOfMemory,
}

/// <summary>One notice of a runtime's event stream. It says where to look, never what is true: events get lost, split and reordered.</summary>
/// <param name="Kind">What is said to have happened.</param>
/// <param name="Id">Container or sandbox id; empty for notices about the stream.</param>
/// <param name="Time">When, by the runtime's clock; ours for notices about the stream.</param>
/// <param name="SandboxId">The sandbox where the event names it.</param>
/// <param name="PodUid">The pod's UID where the event names it.</param>
/// <param name="Reason">Why a stream ended or is not supported.</param>
public sealed record CriEvent(
    CriEventKind Kind, string Id, DateTimeOffset Time, string? SandboxId = null, string? PodUid = null, string? Reason = null);

/// <summary>Tells what happens in the runtime.</summary>
public interface IContainerEventSource
{
    /// <summary>
    /// Notices until the token is cancelled (then OperationCanceledException) or the runtime turns out to have no event stream (then one
    /// <see cref="CriEventKind.Unsupported"/> and the end). Losses and reconnections are notices, not exceptions.
    /// </summary>
    IAsyncEnumerable<CriEvent> WatchAsync(CancellationToken cancellationToken);
}
