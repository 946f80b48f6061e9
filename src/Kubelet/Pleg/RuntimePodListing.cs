using System.Collections.Immutable;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Pleg;

/// <summary>A pod as the runtime lists it (labels only; no per-container status call).</summary>
/// <param name="Pod">From the CRI labels.</param>
/// <param name="Sandboxes">Newest first.</param>
/// <param name="Containers">Newest first; fields that a list does not give are default.</param>
public sealed record RuntimePodListing(PodRef Pod, ImmutableArray<RuntimeSandboxStatus> Sandboxes, ImmutableArray<RuntimeContainerStatus> Containers);
