using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Pods;

/// <summary>Takes a pod's object out of the API server.</summary>
public static class PodObjectDeletion
{
    /// <summary>
    /// Deletes this very pod (by UID) with no grace; gone already is success. That it is gone is believed only when a read says so:
    /// an API server that has just started answers a node's deletion with "not found" while the caches of its NodeRestriction
    /// admission are still empty (plugin/pkg/admission/noderestriction, admitPodDelete).
    /// </summary>
    /// <exception cref="ApiException">The server refuses, or says "not found" of a pod it has: to be tried again.</exception>
    public static async Task DeletePodObjectAsync(this IKubernetesClient client, Pod pod, CancellationToken cancellationToken)
    {
        string? space = pod.Metadata.Namespace;
        string name = pod.Metadata.Name ?? "";
        try
        {
            var options = new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions { Uid = pod.Metadata.Uid } };
            await client.DeleteAsync<Pod>(space, name, options, cancellationToken);
        }
        catch (ApiException e) when (e.IsNotFound || e.IsConflict)
        {
            if (await IsThereAsync(client, space, name, pod.Uid, cancellationToken))
            {
                throw;
            }
        }
    }

    private static async Task<bool> IsThereAsync(IKubernetesClient client, string? space, string name, PodUid uid, CancellationToken cancellationToken)
    {
        try
        {
            return (await client.GetAsync<Pod>(space, name, cancellationToken: cancellationToken)).Uid == uid;
        }
        catch (ApiException e) when (e.IsNotFound)
        {
            return false;
        }
    }
}
