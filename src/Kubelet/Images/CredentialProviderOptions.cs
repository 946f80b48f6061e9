namespace NodeAgent.Kubelet.Images;

/// <summary>One image credential provider of a CredentialProviderConfig.</summary>
/// <param name="Name">The program's name in the bin folder.</param>
/// <param name="ApiVersion">credentialprovider.kubelet.k8s.io/v1, v1beta1 or v1alpha1.</param>
/// <param name="MatchImages">Globs of the images it is asked for.</param>
/// <param name="DefaultCacheDuration">How long an answer without a duration is kept; zero = not.</param>
public sealed record CredentialProviderOptions(string Name, string ApiVersion, IReadOnlyList<string> MatchImages, TimeSpan DefaultCacheDuration)
{
    /// <summary>Arguments.</summary>
    public IReadOnlyList<string> Args { get; init; } = [];

    /// <summary>Environment beyond the agent's own.</summary>
    public IReadOnlyList<(string Name, string Value)> Env { get; init; } = [];

    /// <summary>Set where it wants a token of the pod's service account.</summary>
    public CredentialTokenOptions? Token { get; init; }
}

/// <summary>tokenAttributes of a provider.</summary>
/// <param name="Audience">serviceAccountTokenAudience.</param>
/// <param name="CachePerToken">cacheType Token: what is cached is for one token; false: for the service account.</param>
/// <param name="RequireServiceAccount">False: it is also asked for pods without one, without a token.</param>
public sealed record CredentialTokenOptions(string Audience, bool CachePerToken, bool RequireServiceAccount)
{
    /// <summary>Annotations of the account without which the provider is not asked.</summary>
    public IReadOnlyList<string> RequiredAnnotations { get; init; } = [];

    /// <summary>Annotations that are sent where they are.</summary>
    public IReadOnlyList<string> OptionalAnnotations { get; init; } = [];
}
