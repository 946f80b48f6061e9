using System.Text.Json.Nodes;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Status;

/// <summary>Writes statuses with the API client.</summary>
/// <param name="client">The node's client.</param>
/// <param name="createPatch">Two-way strategic merge patch between two pods as JSON; null where there is no difference.</param>
public sealed class ApiPodStatusWriter(IKubernetesClient client, Func<Pod, Pod, JsonObject?> createPatch) : IPodStatusWriter
{
    /// <inheritdoc/>
    public async Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.GetAsync<Pod>(@namespace, name, cancellationToken: cancellationToken);
        }
        catch (ApiException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken)
    {
        // Nothing but the status is to differ: metadata and spec are neither written out nor compared.
        var before = new Pod { Metadata = new ObjectMeta(), Spec = new PodSpec(), Status = current.Status };
        if (createPatch(before, before with { Status = status }) is not { } patch)
        {
            return current;
        }

        var metadata = new JsonObject { ["uid"] = current.Metadata.Uid };
        if (exactly)
        {
            metadata["resourceVersion"] = current.Metadata.ResourceVersion;
        }

        patch["metadata"] = metadata;
        try
        {
            string name = current.Metadata.Name ?? "";
            if (!exactly)
            {
                return await client.PatchAsync<Pod>(current.Metadata.Namespace, name, Patch.StrategicMerge(patch), "status", cancellationToken);
            }

            // It was that very version, so nothing else has changed.
            string? version = await client.PatchForVersionAsync<Pod>(current.Metadata.Namespace, name, Patch.StrategicMerge(patch), "status", cancellationToken);
            return current with { Metadata = current.Metadata with { ResourceVersion = version }, Status = status };
        }
        catch (ApiException e) when (e.IsNotFound || (e.IsConflict && e.Message.Contains("uid", StringComparison.OrdinalIgnoreCase)))
        {
            return null;
        }
        catch (ApiException e) when (exactly && e.IsConflict)
        {
            throw new StalePodException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(Pod pod, CancellationToken cancellationToken) => client.DeletePodObjectAsync(pod, cancellationToken);
}
