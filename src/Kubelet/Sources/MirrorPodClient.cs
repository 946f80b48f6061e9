using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Sources;

/// <summary>What mirror pods need of the API server.</summary>
public interface IMirrorPodClient
{
    /// <summary>Creates a mirror pod. One of the same hash that is there already is success.</summary>
    /// <exception cref="MirrorPodException">Another pod has the name.</exception>
    Task CreateAsync(Pod mirror, CancellationToken cancellationToken);

    /// <summary>Deletes this very mirror pod (by UID) with no grace; gone already is success.</summary>
    Task DeleteAsync(Pod mirror, CancellationToken cancellationToken);
}

/// <summary>A mirror pod cannot be made; the message names what is in the way and the remedy.</summary>
/// <param name="message">For the log.</param>
public sealed class MirrorPodException(string message) : Exception(message);

/// <summary>Mirror pods by the node's API client. Source: pkg/kubelet/pod/mirror_client.go.</summary>
/// <param name="client">The node's client.</param>
public sealed class MirrorPodClient(IKubernetesClient client) : IMirrorPodClient
{
    /// <inheritdoc/>
    public async Task CreateAsync(Pod mirror, CancellationToken cancellationToken)
    {
        try
        {
            await client.CreateAsync(mirror, cancellationToken);
        }
        catch (ApiException e) when (e.IsAlreadyExists)
        {
            Pod there = await client.GetAsync<Pod>(mirror.Metadata.Namespace, mirror.Metadata.Name ?? "", cancellationToken: cancellationToken);
            if (there.Metadata.DeletionTimestamp is not null || there.MirrorHash != mirror.MirrorHash)
            {
                throw new MirrorPodException(there.MirrorHash is null || there.Spec.NodeName != mirror.Spec.NodeName
                    ? $"pod {mirror.Ref} on node \"{there.Spec.NodeName}\" has its name; delete that pod or rename the static pod"
                    : $"an earlier mirror pod {mirror.Ref} is still there");
            }
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(Pod mirror, CancellationToken cancellationToken) => client.DeletePodObjectAsync(mirror, cancellationToken);
}
