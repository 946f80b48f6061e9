using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Certificates;

/// <summary>What a certificate manager keeps up to date.</summary>
public sealed record CertificateManagerOptions
{
    /// <summary>For log lines, for example kubelet client.</summary>
    public required string Name { get; init; }

    /// <summary>Who signs: see <see cref="SignerNames"/>.</summary>
    public required string SignerName { get; init; }

    /// <summary>client auth or server auth.</summary>
    public required string Purpose { get; init; }

    /// <summary>What to ask for; null while that is not known (no address yet).</summary>
    public required Func<CertificateTemplate?> Template { get; init; }

    /// <summary>The client to ask with; told the certificate in use, null before the first.</summary>
    public required Func<ClientCertificate?, IKubernetesClient> Client { get; init; }

    /// <summary>How long one request may wait for approval.</summary>
    public TimeSpan RequestLimit { get; init; } = TimeSpan.FromMinutes(15);
}

/// <summary>
/// Keeps a certificate valid: asks for one when there is none, when 70 to 90 % of its life (at random) have passed, and when what it
/// must say has changed. Each try makes a new P-256 key. Failures are tried again after 2, 4, 8, 16 and then every 32 seconds.
/// </summary>
public sealed partial class CertificateManager : IClientCertificateSource
{
    // Timers do not see the date being set or the host asleep: a certificate that has expired meanwhile is noticed after this time.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan PauseWhenOver = TimeSpan.FromMinutes(1);
    private readonly CertificateManagerOptions _options;
    private readonly CertificateStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _changed = new(0, 1);
    private volatile ClientCertificate? _current;

    /// <summary>Loads what the store has; asks for nothing before <see cref="RunAsync"/>.</summary>
    public CertificateManager(CertificateManagerOptions options, CertificateStore store, ILogger logger, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(store);
        _options = options;
        _store = store;
        _time = time ?? TimeProvider.System;
        _logger = logger;
        try
        {
            _current = store.Current();
        }
        catch (CryptographicException e)
        {
            LogUnreadable(options.Name, store.CurrentPath, e.Message);
        }
    }

    /// <summary>Called after each new certificate, on the manager's loop.</summary>
    public event Action<ClientCertificate>? Rotated;

    /// <summary>The certificate in use; null when there is none or it has expired.</summary>
    public ClientCertificate? Current => _current is { } held && held.Leaf.NotAfter.ToUniversalTime() > _time.GetUtcNow().UtcDateTime ? held : null;

    /// <summary>True when the last request reached the API server, whatever it answered.</summary>
    public bool ServerHealthy { get; private set; }

    /// <inheritdoc/>
    public ValueTask<ClientCertificate?> GetAsync(CancellationToken cancellationToken) => new(Current);

    /// <summary>Says that the template may give something else now (the node's addresses changed).</summary>
    public void TemplateChanged()
    {
        lock (_changed)
        {
            if (_changed.CurrentCount == 0)
                _changed.Release();
        }
    }

    /// <summary>Keeps the certificate valid until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            DateTimeOffset due = NextRotation(_current);
            while (true)
            {
                CertificateTemplate? template = _options.Template();
                bool needed = template is not null && (_current is null || !template.IsSatisfiedBy(_current.Leaf) || due <= _time.GetUtcNow());
                if (!needed)
                {
                    TimeSpan sleep = template is null ? Timeout.InfiniteTimeSpan : Shorter(due - _time.GetUtcNow());
                    await WaitAsync(sleep, cancellationToken);
                    continue;
                }
                await RotateUntilDoneAsync(cancellationToken);
                due = NextRotation(_current);
                if (_current is not null && due <= _time.GetUtcNow())
                {
                    // The clock is wrong or the signer gives what is over already: asking on without a pause would flood the API server.
                    LogOverAlready(_options.Name, _current.Leaf.NotAfter.ToUniversalTime());
                    await WaitAsync(PauseWhenOver, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>When a certificate is to be replaced: 70 to 90 % of its life.</summary>
    internal static DateTimeOffset RotationTime(X509Certificate2 certificate, double random)
    {
        DateTimeOffset from = certificate.NotBefore.ToUniversalTime(), to = certificate.NotAfter.ToUniversalTime();
        return from + ((to - from) * (0.7 + (0.2 * random)));
    }

    private DateTimeOffset NextRotation(ClientCertificate? certificate) =>
        certificate is null ? _time.GetUtcNow() : RotationTime(certificate.Leaf, Random.Shared.NextDouble());

    private static TimeSpan Shorter(TimeSpan wait) => wait < LongestSleep ? (wait > TimeSpan.Zero ? wait : TimeSpan.Zero) : LongestSleep;

    private async Task RotateUntilDoneAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = TimeSpan.FromSeconds(2);
        while (_options.Template() is { } template)
        {
            try
            {
                await RotateAsync(template, cancellationToken);
                return;
            }
            catch (Exception e) when (e is KubernetesException or CertificateRequestException or CryptographicException or IOException or UnauthorizedAccessException)
            {
                ServerHealthy = e is not ApiUnreachableException;
                LogFailed(_options.Name, e.Message);
            }
            await WaitAsync(pause * (1 + (0.1 * Random.Shared.NextDouble())), cancellationToken);
            pause = pause < TimeSpan.FromSeconds(32) ? pause * 2 : pause;
        }
    }

    private async Task RotateAsync(CertificateTemplate template, CancellationToken cancellationToken)
    {
        using PrivateKey key = PrivateKey.Generate();
        CertificateSigning signing = new(_options.Client(Current), _time, _logger);
        string chain = await signing.RequestAsync(
            template.SignRequest(key), null, _options.SignerName, key.Usages(_options.Purpose), _options.RequestLimit, cancellationToken);
        ServerHealthy = true;
        _current = _store.Update(chain, key.ToPem());
        LogRotated(_options.Name, _current.Leaf.NotAfter.ToUniversalTime());
        Rotated?.Invoke(_current);
    }

    private async Task WaitAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        if (limit == Timeout.InfiniteTimeSpan)
        {
            await _changed.WaitAsync(cancellationToken);
            return;
        }
        using CancellationTokenSource timeout = new(limit, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await _changed.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The time has come.
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The {Name} certificate is new, valid until {NotAfter:u}")]
    private partial void LogRotated(string name, DateTime notAfter);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The new {Name} certificate is due for renewal at once (valid until {NotAfter:u}): check this machine's clock and the signer")]
    private partial void LogOverAlready(string name, DateTime notAfter);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The {Name} certificate could not be renewed, trying again: {Error}")]
    private partial void LogFailed(string name, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The {Name} certificate in {Path} cannot be used, asking for another: {Error}")]
    private partial void LogUnreadable(string name, string path, string error);
}
