using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Server;

/// <summary>Decides whether a user may make a request.</summary>
public interface IRequestAuthorizer
{
    /// <summary>True where it may. Throws <see cref="KubernetesException"/> where nobody can tell.</summary>
    Task<bool> IsAllowedAsync(RequestUser user, string verb, string subresource, CancellationToken cancellationToken);
}

/// <summary>authorization.mode AlwaysAllow.</summary>
public sealed class AlwaysAllowAuthorizer : IRequestAuthorizer
{
    /// <inheritdoc/>
    public Task<bool> IsAllowedAsync(RequestUser user, string verb, string subresource, CancellationToken cancellationToken) => Task.FromResult(true);
}

/// <summary>authorization.mode Webhook: SubjectAccessReview on nodes/&lt;name&gt;/&lt;subresource&gt;, answers cached.</summary>
/// <param name="client">The API server.</param>
/// <param name="options">Node name and cache times.</param>
/// <param name="time">Clock.</param>
public sealed class SubjectAccessReviewAuthorizer(IKubernetesClient client, KubeletServerOptions options, TimeProvider time) : IRequestAuthorizer
{
    private const int CacheCapacity = 8192;
    private readonly ExpiringCache<string, bool> _answers = new(CacheCapacity, time);

    /// <inheritdoc/>
    public async Task<bool> IsAllowedAsync(RequestUser user, string verb, string subresource, CancellationToken cancellationToken)
    {
        SubjectAccessReviewSpec spec = SubjectAccessReviewSpec.Empty with
        {
            User = user.Name,
            Uid = user.Uid.Length > 0 ? user.Uid : null,
            Groups = user.Groups,
            Extra = user.Extra,
            ResourceAttributes = ResourceAttributes.Empty with
            {
                Verb = verb.Length > 0 ? verb : null,
                Version = "v1",
                Resource = "nodes",
                Subresource = subresource,
                Name = options.NodeName,
            },
        };
        string key = Kubernetes.Serialization.KubernetesJson.Serialize(spec);
        if (_answers.TryGet(key, out bool known))
        {
            return known;
        }

        SubjectAccessReview review = await client.CreateAsync(new SubjectAccessReview { Spec = spec }, cancellationToken);
        bool allowed = review.Status?.Allowed == true;
        _answers.Set(key, allowed, allowed ? options.AuthorizedCache : options.UnauthorizedCache);
        return allowed;
    }
}
