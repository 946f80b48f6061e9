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

    /// <summary>The age at which a token is due whatever the date says. Positive for every life.</summary>
    public static TimeSpan RefreshAfter(TimeSpan life) => RefreshAt(DateTimeOffset.UnixEpoch + life, life, TimeSpan.Zero) - DateTimeOffset.UnixEpoch;

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

    // Timers do not see the date being set or the host asleep: looked at least this often.
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);

    private readonly IKubernetesClient? _client;
    private readonly TimeProvider _time;
    private readonly ILogger<ServiceAccountTokens> _logger;
    private readonly Lock _gate = new();
    private readonly Dictionary<Key, Token> _tokens = [];
    private readonly ConcurrentDictionary<Key, SemaphoreSlim> _fetching = new();
    private readonly ITimer _timer;

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

            return held is not null && TimeToRefresh(held) > TimeSpan.Zero ? held.Text : await RenewAsync(key, held, cancellationToken);
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

            if (_time.GetUtcNow() > held.Expires || _time.GetElapsedTime(held.FetchedAt) > held.Life)
            {
                throw new PayloadException($"token of service account {key.Namespace}/{key.Account} expired and refresh failed: {e.Message}", e);
            }

            LogNotRenewed(key.Namespace, key.Account, e.Message);
            Keep(key, held with { AskedAt = _time.GetTimestamp() });
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
        return new Token(Encoding.UTF8.GetBytes(answer.Status.Token!), expires, refresh, _time.GetTimestamp(), life);
    }

    private void Keep(Key key, Token token)
    {
        lock (_gate)
        {
            _tokens[key] = token;
            Arm();
        }
    }

    private TimeSpan TimeToRefresh(Token token)
    {
        TimeSpan byDate = token.RefreshAt - _time.GetUtcNow(), byAge = TokenLife.RefreshAfter(token.Life) - _time.GetElapsedTime(token.FetchedAt);
        return byDate < byAge ? byDate : byAge;
    }

    private TimeSpan TimeToAsk(Token token) => token.AskedAt is { } asked ? RetryAfter - _time.GetElapsedTime(asked) : TimeToRefresh(token);

    private void Arm()
    {
        if (_tokens.Count == 0)
        {
            return;
        }

        TimeSpan wait = _tokens.Values.Min(TimeToAsk);
        _timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait < LongestWait ? wait : LongestWait, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        HashSet<PodUid> due = [];
        lock (_gate)
        {
            foreach ((Key key, Token token) in _tokens.ToArray())
            {
                if (TimeToAsk(token) <= TimeSpan.Zero)
                {
                    due.Add(key.Uid);
                    // Should the sync not happen, it is asked for again.
                    _tokens[key] = token with { AskedAt = _time.GetTimestamp() };
                }
            }

            Arm();
        }

        foreach (PodUid uid in due)
        {
            Due?.Invoke(uid);
        }
    }

    private readonly record struct Key(PodUid Uid, string Namespace, string Pod, string Account, string Audience, long ExpirationSeconds);

    /// <param name="Text">What the pod reads.</param>
    /// <param name="Expires">By the API server's clock.</param>
    /// <param name="RefreshAt">When it is due by date.</param>
    /// <param name="FetchedAt">Timestamp of its arrival: by age it is due whatever the date says.</param>
    /// <param name="Life">From issue to expiry.</param>
    /// <param name="AskedAt">Timestamp of the last announcement or failed try since it was due; null = none.</param>
    private sealed record Token(byte[] Text, DateTimeOffset Expires, DateTimeOffset RefreshAt, long FetchedAt, TimeSpan Life, long? AskedAt = null);

    [LoggerMessage(2710, LogLevel.Warning, "Token of service account {Namespace}/{Account} could not be renewed, the old one is used: {Error}")]
    private partial void LogNotRenewed(string @namespace, string account, string error);
}
