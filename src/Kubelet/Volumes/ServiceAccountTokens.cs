using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>When a token is renewed. Pure. Source: pkg/kubelet/token/token_manager.go.</summary>
internal static class TokenLife
{
    private static readonly TimeSpan Longest = TimeSpan.FromHours(24);

    /// <summary>80 % of its life or 24 hours after issue, whichever is first, less the jitter.</summary>
    public static DateTimeOffset RefreshAt(DateTimeOffset expires, TimeSpan life, TimeSpan jitter)
    {
        DateTimeOffset issued = expires - life;
        DateTimeOffset atEighty = expires - TimeSpan.FromSeconds((long)life.TotalSeconds * 20 / 100);
        DateTimeOffset byAge = issued + Longest;
        return (atEighty < byAge ? atEighty : byAge) - jitter;
    }
}

/// <summary>
/// Tokens of service accounts bound to pods: cached, renewed before they expire, used until they expire where renewing fails. One
/// timer for all of them says which pods are to be synced.
/// </summary>
public sealed partial class ServiceAccountTokens : IDisposable
{
    private static readonly TimeSpan MaximumJitter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    private readonly IKubernetesClient? _client;
    private readonly TimeProvider _time;
    private readonly ILogger<ServiceAccountTokens> _logger;
    private readonly Lock _gate = new();
    private readonly Dictionary<Key, Token> _tokens = [];
    private readonly ConcurrentDictionary<Key, SemaphoreSlim> _fetching = new();
    private readonly ITimer _timer;
    private DateTimeOffset _armed = DateTimeOffset.MaxValue;

    /// <summary>Creates the cache. A null client is a node without an API server.</summary>
    public ServiceAccountTokens(IKubernetesClient? client, TimeProvider time, ILogger<ServiceAccountTokens> logger)
    {
        ArgumentNullException.ThrowIfNull(time);
        (_client, _time, _logger) = (client, time, logger);
        _timer = time.CreateTimer(static state => ((ServiceAccountTokens)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A token of the pod is due; syncing the pod renews it. Called on a pool thread; must not block.</summary>
    public event Action<PodUid>? Due;

    /// <summary>The token's text.</summary>
    /// <exception cref="PayloadException">There is none and none can be had.</exception>
    internal async Task<byte[]> GetAsync(Pod pod, string? audience, long? expirationSeconds, CancellationToken cancellationToken)
    {
        string account = string.IsNullOrEmpty(pod.Spec.ServiceAccountName)
            ? throw new PayloadException("spec.serviceAccountName is empty, so there is no account to ask a token for; set it") : pod.Spec.ServiceAccountName;
        var key = new Key(pod.Uid, pod.Metadata.Namespace ?? "", pod.Metadata.Name ?? "", account, audience ?? "", expirationSeconds ?? 3600);
        SemaphoreSlim one = _fetching.GetOrAdd(key, static _ => new SemaphoreSlim(1));
        await one.WaitAsync(cancellationToken);
        try
        {
            Token? held;
            lock (_gate)
            {
                held = _tokens.GetValueOrDefault(key);
            }

            return held is not null && _time.GetUtcNow() < held.RefreshAt ? held.Text : await RenewAsync(key, held, cancellationToken);
        }
        finally
        {
            one.Release();
        }
    }

    /// <summary>Forgets the pod's tokens.</summary>
    public void Forget(PodUid uid)
    {
        lock (_gate)
        {
            foreach (Key key in _tokens.Keys.Where(k => k.Uid == uid).ToArray())
            {
                _tokens.Remove(key);
            }
        }

        foreach (Key key in _fetching.Keys.Where(k => k.Uid == uid))
        {
            _fetching.TryRemove(key, out _);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private async Task<byte[]> RenewAsync(Key key, Token? held, CancellationToken cancellationToken)
    {
        try
        {
            Token token = await RequestAsync(key, cancellationToken);
            Keep(key, token);
            return token.Text;
        }
        catch (KubernetesException e)
        {
            if (held is null)
            {
                throw new PayloadException($"failed to fetch token: {e.Message}", e);
            }

            if (_time.GetUtcNow() > held.Expires)
            {
                throw new PayloadException($"token of service account {key.Namespace}/{key.Account} expired and refresh failed: {e.Message}", e);
            }

            LogNotRenewed(key.Namespace, key.Account, e.Message);
            Keep(key, held with { NextTry = _time.GetUtcNow() + RetryAfter });
            return held.Text;
        }
    }

    private async Task<Token> RequestAsync(Key key, CancellationToken cancellationToken)
    {
        if (_client is null)
        {
            throw new PayloadException("cannot use TokenManager when kubelet is in standalone mode");
        }

        TokenRequest answer = await _client.CreateSubresourceAsync(key.Namespace, key.Account, new TokenRequest
        {
            Spec = new TokenRequestSpec
            {
                Audiences = key.Audience.Length > 0 ? [key.Audience] : [],
                ExpirationSeconds = key.ExpirationSeconds,
                BoundObjectRef = new BoundObjectReference { ApiVersion = "v1", Kind = "Pod", Name = key.Pod, Uid = key.Uid.Value },
            },
        }, cancellationToken);
        if (answer.Status is not { Token.Length: > 0, ExpirationTimestamp: { } expires })
        {
            throw new PayloadException($"the API server's answer for a token of service account {key.Namespace}/{key.Account} has no token");
        }

        TimeSpan life = TimeSpan.FromSeconds(answer.Spec.ExpirationSeconds ?? key.ExpirationSeconds);
        DateTimeOffset refresh = TokenLife.RefreshAt(expires, life, MaximumJitter * Random.Shared.NextDouble());
        return new Token(Encoding.UTF8.GetBytes(answer.Status.Token!), expires, refresh, refresh);
    }

    private void Keep(Key key, Token token)
    {
        lock (_gate)
        {
            _tokens[key] = token;
            if (token.NextTry < _armed)
            {
                Arm(token.NextTry);
            }
        }
    }

    private void Arm(DateTimeOffset at)
    {
        // Timers end after 49 days; waking once more in between costs nothing.
        TimeSpan wait = at - _time.GetUtcNow();
        wait = wait < TimeSpan.Zero ? TimeSpan.Zero : wait > TimeSpan.FromDays(1) ? TimeSpan.FromDays(1) : wait;
        _armed = at;
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        HashSet<PodUid> due = [];
        lock (_gate)
        {
            DateTimeOffset now = _time.GetUtcNow(), next = DateTimeOffset.MaxValue;
            foreach ((Key key, Token token) in _tokens.ToArray())
            {
                DateTimeOffset at = token.NextTry;
                if (at <= now)
                {
                    due.Add(key.Uid);
                    // Should the sync not happen, it is asked for again.
                    at = now + RetryAfter;
                    _tokens[key] = token with { NextTry = at };
                }

                next = at < next ? at : next;
            }

            _armed = DateTimeOffset.MaxValue;
            if (next < DateTimeOffset.MaxValue)
            {
                Arm(next);
            }
        }

        foreach (PodUid uid in due)
        {
            Due?.Invoke(uid);
        }
    }

    private readonly record struct Key(PodUid Uid, string Namespace, string Pod, string Account, string Audience, long ExpirationSeconds);

    private sealed record Token(byte[] Text, DateTimeOffset Expires, DateTimeOffset RefreshAt, DateTimeOffset NextTry);

    [LoggerMessage(2710, LogLevel.Warning, "Token of service account {Namespace}/{Account} could not be renewed, the old one is used: {Error}")]
    private partial void LogNotRenewed(string @namespace, string account, string error);
}
