using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>The runtime's state from CRI Version (once for each connection's runtime) and Status.</summary>
/// <param name="runtime">CRI runtime service.</param>
public sealed class CriRuntimeStatusSource(IRuntimeService runtime) : IRuntimeStatusSource
{
    private const string SupportedApi = "0.1.0";
    private VersionResponse? _version;

    /// <inheritdoc/>
    public async Task<RuntimeState> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            _version ??= await runtime.VersionAsync(new VersionRequest { Version = SupportedApi }, cancellationToken);
            StatusResponse status = await runtime.StatusAsync(new StatusRequest(), cancellationToken);
            return Read(_version, status);
        }
        catch (CriException)
        {
            _version = null; // Another version may answer after the restart.
            throw;
        }
    }

    /// <summary>Turns the answers into the state. Pure.</summary>
    internal static RuntimeState Read(VersionResponse version, StatusResponse status) => new()
    {
        Name = version.RuntimeName,
        Version = version.RuntimeVersion,
        RuntimeNotReady = NotReady(status, "RuntimeReady", "container runtime not ready"),
        NetworkNotReady = NotReady(status, "NetworkReady", "container runtime network not ready"),
        Handlers =
        [
            .. status.RuntimeHandlers.OrderBy(h => h.Name, StringComparer.Ordinal).Select(h => new NodeRuntimeHandler
            {
                Name = h.Name,
                Features = h.Features is null ? null : new NodeRuntimeHandlerFeatures
                {
                    RecursiveReadOnlyMounts = h.Features.RecursiveReadOnlyMounts,
                    UserNamespaces = h.Features.UserNamespaces,
                },
            }),
        ],
        SupplementalGroupsPolicy = status.Features?.SupplementalGroupsPolicy,
    };

    private static string? NotReady(StatusResponse status, string type, string what)
    {
        RuntimeCondition? condition = status.Status?.Conditions.FirstOrDefault(c => c.Type == type);
        return condition switch
        {
            null => $"{what}: {type} condition is not given by the runtime",
            { Status: true } => null,
            _ => $"{what}: {type}=false reason:{condition.Reason} message:{condition.Message}",
        };
    }
}

/// <summary>Images from the CRI image service.</summary>
/// <param name="images">CRI image service.</param>
public sealed class CriNodeImages(IImageService images) : INodeImageSource
{
    /// <inheritdoc/>
    public async Task<IReadOnlyList<NodeImage>> ListImagesAsync(CancellationToken cancellationToken)
    {
        ListImagesResponse list = await images.ListImagesAsync(new ListImagesRequest(), cancellationToken);
        return [.. list.Images.Select(i => new NodeImage([.. i.RepoDigests], [.. i.RepoTags], (long)i.Size))];
    }
}
