using System.Collections.Concurrent;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Images;

/// <summary>A pod's service account as credential providers see it.</summary>
internal interface IPodAccounts
{
    /// <summary>The account object.</summary>
    /// <exception cref="KubernetesException">It cannot be read.</exception>
    Task<ServiceAccount> GetAsync(string @namespace, string name, CancellationToken cancellationToken);

    /// <summary>A token bound to the pod.</summary>
    /// <exception cref="KubernetesException">None can be had.</exception>
    Task<string> TokenAsync(Pod pod, ServiceAccount account, string audience, CancellationToken cancellationToken);
}

/// <summary>By the API server; tokens are kept for four fifths of their life.</summary>
internal sealed class PodAccounts(IKubernetesClient? client, TimeProvider time) : IPodAccounts
{
    private readonly ConcurrentDictionary<(PodUid Pod, string AccountUid, string Audience), (string Token, DateTimeOffset RenewAt)> _tokens = new();

    private IKubernetesClient Client => client ?? throw new ApiUnreachableException("this node agent runs without an API server (no --kubeconfig)");

    public Task<ServiceAccount> GetAsync(string @namespace, string name, CancellationToken cancellationToken) =>
        Client.GetAsync<ServiceAccount>(@namespace, name, cancellationToken: cancellationToken);

    public async Task<string> TokenAsync(Pod pod, ServiceAccount account, string audience, CancellationToken cancellationToken)
    {
        var key = (pod.Uid, account.Metadata.Uid ?? "", audience);
        DateTimeOffset now = time.GetUtcNow();
        if (_tokens.TryGetValue(key, out var held) && now < held.RenewAt)
        {
            return held.Token;
        }

        TokenRequest answer = await Client.CreateSubresourceAsync(account.Metadata.Namespace, account.Metadata.Name ?? "", new TokenRequest
        {
            Metadata = new ObjectMeta { Uid = account.Metadata.Uid },
            Spec = new TokenRequestSpec
            {
                Audiences = [audience],
                BoundObjectRef = new BoundObjectReference { ApiVersion = "v1", Kind = "Pod", Name = pod.Metadata.Name, Uid = pod.Metadata.Uid },
            },
        }, cancellationToken);
        if (answer.Status is not { Token.Length: > 0, ExpirationTimestamp: { } expires })
        {
            throw new ApiUnreachableException($"the API server's answer for a token of service account {account.Metadata.Namespace}/{account.Metadata.Name} has no token");
        }

        foreach (var old in _tokens.Where(t => t.Value.RenewAt <= now))
        {
            _tokens.TryRemove(old);
        }

        _tokens[key] = (answer.Status.Token!, now + ((expires - now) * 0.8));
        return answer.Status.Token!;
    }
}
