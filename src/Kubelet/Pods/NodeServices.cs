using System.Collections.Immutable;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Pods;

/// <summary>Records events about objects; never blocks, never throws.</summary>
public interface IPodEventRecorder
{
    /// <summary>Records an event about the pod or one of its containers.</summary>
    /// <param name="pod">The pod (for static pods, the caller's matter to pass the static pod; the recorder refers to its UID).</param>
    /// <param name="containerName">null for the pod; else the field path spec.containers{name} (or initContainers, ephemeralContainers) is set.</param>
    /// <param name="type">Normal or Warning.</param>
    /// <param name="reason">Upstream's reason.</param>
    /// <param name="message">Text.</param>
    void Record(Pod pod, string? containerName, string type, string reason, string message);

    /// <summary>Records an event about the pod with annotations; a recorder that cannot carry them leaves them out.</summary>
    void RecordAnnotated(Pod pod, string type, string reason, string message, IReadOnlyDictionary<string, string> annotations) =>
        Record(pod, null, type, reason, message);
}

/// <summary>The services a pod's environment may name (node-wide watch; null namespace index is by namespace).</summary>
public interface IServiceLister
{
    /// <summary>False until the first list arrived; containers of pods with enableServiceLinks wait until then.</summary>
    bool HasSynced { get; }

    /// <summary>All services of a namespace.</summary>
    IReadOnlyList<Service> InNamespace(string @namespace);
}

/// <summary>What of the own Node object others need.</summary>
public interface INodeInfo
{
    /// <summary>The node's name.</summary>
    string Name { get; }

    /// <summary>The node's addresses for status.hostIPs, primary first; empty until known.</summary>
    ImmutableArray<string> HostIPs { get; }

    /// <summary>The last Node object seen from the API server; null before.</summary>
    Node? Current { get; }

    /// <summary>Allocatable quantities (for resourceFieldRef limits defaulting and admission).</summary>
    IReadOnlyDictionary<string, Quantity> Allocatable { get; }

    /// <summary>Null while the runtime's network is ready, else why not.</summary>
    string? NetworkNotReady { get; }
}
