using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Events;

/// <summary>The two types of an event.</summary>
public static class EventTypes
{
    /// <summary>Information only.</summary>
    public const string Normal = "Normal";

    /// <summary>Something may go wrong.</summary>
    public const string Warning = "Warning";
}

/// <summary>Tells the cluster what happened to an object. Never blocks, never throws; events are merged, bounded and sent later.</summary>
public interface IEventRecorder
{
    /// <summary>Records an event.</summary>
    /// <param name="regarding">The object; kind, namespace, name, and where known uid and apiVersion.</param>
    /// <param name="type">Normal or Warning: see <see cref="EventTypes"/>.</param>
    /// <param name="reason">One word in upper camel case, as upstream spells it.</param>
    /// <param name="message">The text a user reads; no secrets.</param>
    /// <param name="action">What was done (events.k8s.io/v1 only); empty where the API has none.</param>
    void Record(ObjectReference regarding, string type, string reason, string message, string action = "");

    /// <summary>Records an event with annotations; a recorder that cannot carry them leaves them out.</summary>
    void RecordAnnotated(ObjectReference regarding, string type, string reason, string message, IReadOnlyDictionary<string, string>? annotations) =>
        Record(regarding, type, reason, message);
}
