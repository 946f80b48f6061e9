using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Images;

/// <summary>Where the node's own credentials for registries come from.</summary>
/// <param name="RootFolder">--root-dir.</param>
/// <param name="Home">The agent's home folder; null = none.</param>
public sealed record ImageCredentialOptions(string RootFolder, string? Home)
{
    /// <summary>The credential providers.</summary>
    public IReadOnlyList<CredentialProviderOptions> Providers { get; init; } = [];

    /// <summary>Where their programs are.</summary>
    public string BinFolder { get; init; } = "";
}

/// <summary>
/// The credentials to pull an image with, in the order they are tried: the pod's pull secrets, the node's Docker configuration, the
/// credential providers.
/// </summary>
public sealed partial class ImageCredentials
{
    private readonly NodeDockerConfig _node;
    private readonly IReadOnlyList<CredentialProvider> _providers;
    private readonly ILogger<ImageCredentials> _logger;

    /// <summary>Of this node.</summary>
    /// <param name="options">Folders and providers.</param>
    /// <param name="client">For service accounts and their tokens; null without an API server.</param>
    /// <param name="time">Clock.</param>
    /// <param name="logger">Logger.</param>
    public ImageCredentials(ImageCredentialOptions options, IKubernetesClient? client, TimeProvider time, ILogger<ImageCredentials> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        var accounts = new PodAccounts(client, time);
        _node = new NodeDockerConfig(options.RootFolder, options.Home, time);
        _providers = [.. options.Providers.Select(p => new CredentialProvider(p, new CredentialProviderProgram(p, options.BinFolder, time), accounts, time))];
        _logger = logger;
    }

    /// <exception cref="FormatException">A pull secret is malformed.</exception>
    internal async Task<IReadOnlyList<RegistryCredential>> FindAsync(Pod pod, IReadOnlyList<Secret> secrets, string image, CancellationToken cancellationToken)
    {
        string repository = ImageName.Repository(image);
        var provided = new RegistryKeyring();
        foreach (CredentialProvider provider in _providers)
        {
            try
            {
                foreach ((string pattern, RegistryCredential credential) in await provider.FindAsync(pod, repository, cancellationToken))
                {
                    provided.Add(pattern, credential);
                }
            }
            catch (Exception e) when (e is CredentialProviderException or KubernetesException)
            {
                LogProvider(pod.Ref, provider.Name, repository, e.Message);
            }
        }

        return [.. PullCredentials.Find(secrets, image), .. _node.Find(image), .. provided.Lookup(repository)];
    }

    [LoggerMessage(2501, LogLevel.Warning, "Pod {Pod}: credential provider {Provider} gave nothing for {Image}, the pull goes on without it: {Error}")]
    private partial void LogProvider(PodRef pod, string provider, string image, string error);
}
