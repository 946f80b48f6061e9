using Google.Protobuf;
using NodeAgent.Cri.Containerd.V1;
using NodeAgent.Cri.V1;

namespace NodeAgent.Cri.Events;

/// <summary>Runtime messages to notices. Pure.</summary>
internal static class EventMapping
{
    public const string KubernetesNamespace = "k8s.io";

    public static CriEvent From(ContainerEventResponse e) => new(
        e.ContainerEventType switch
        {
            ContainerEventType.ContainerCreatedEvent => CriEventKind.Created,
            ContainerEventType.ContainerStartedEvent => CriEventKind.Started,
            ContainerEventType.ContainerStoppedEvent => CriEventKind.Stopped,
            _ => CriEventKind.Deleted,
        },
        e.ContainerId,
        DateTimeOffset.UnixEpoch.AddTicks(e.CreatedAt / TimeSpan.NanosecondsPerTick),
        NullIfEmpty(e.PodSandboxStatus?.Id),
        NullIfEmpty(e.PodSandboxStatus?.Metadata?.Uid));

    /// <summary>A containerd event; null for what is not about a container of Kubernetes, an exec session's end among it.</summary>
    public static CriEvent? From(Envelope envelope)
    {
        if (envelope.Namespace != KubernetesNamespace || envelope.Event is null) return null;
        CriEventKind? kind = envelope.Topic switch
        {
            "/tasks/create" => CriEventKind.Created,
            "/tasks/start" => CriEventKind.Started,
            // A task that is deleted was the container's process: the container stays until it is removed.
            "/tasks/exit" or "/tasks/delete" => CriEventKind.Stopped,
            "/tasks/oom" => CriEventKind.OutOfMemory,
            _ => null,
        };
        if (kind is null) return null;
        string? id = envelope.Topic == "/tasks/exit" ? TaskOf(envelope.Event.Value) : TaskNotice.Parser.ParseFrom(envelope.Event.Value).ContainerId;
        DateTimeOffset time = envelope.Timestamp?.ToDateTimeOffset() ?? DateTimeOffset.UnixEpoch;
        return string.IsNullOrEmpty(id) ? null : new CriEvent(kind.Value, id, time);
    }

    private static string? TaskOf(ByteString payload)
    {
        TaskExit exit = TaskExit.Parser.ParseFrom(payload);
        return exit.Id.Length == 0 || exit.Id == exit.ContainerId ? exit.ContainerId : null;
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
