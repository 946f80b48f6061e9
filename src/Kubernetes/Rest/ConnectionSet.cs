using System.Security.Cryptography.X509Certificates;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>
/// The connections in use, as generations: a new client certificate or new certificate authorities start a new generation for
/// all further requests; the old one drains and is then closed.
/// </summary>
internal sealed class ConnectionSet(ClientConfiguration configuration, KubernetesClientOptions options, TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private Generation? _current;
    private bool _disposed;

    /// <summary>The connections for a request; the caller disposes the lease after the answer's end.</summary>
    internal async ValueTask<Lease> AcquireAsync(CancellationToken cancellationToken)
    {
        ClientCertificate? certificate = configuration.ClientCertificate is { } source ? await source.GetAsync(cancellationToken) : null;
        X509Certificate2Collection? authorities = configuration.InsecureSkipTlsVerify ? null : configuration.CertificateAuthority?.Get();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_current is { } current && (!ReferenceEquals(current.Certificate, certificate) || !ReferenceEquals(current.Authorities, authorities)))
                Retire(options.DrainTime);
            _current ??= new Generation(ConnectionFactory.Create(configuration, options, certificate, authorities), certificate, authorities);
            _current.Users++;
            return new Lease(this, _current);
        }
    }

    /// <summary>Ends all connections at once; requests under way fail.</summary>
    internal void Drop()
    {
        lock (_gate)
            Retire(TimeSpan.Zero);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            Retire(TimeSpan.Zero);
        }
    }

    private void Retire(TimeSpan drain)
    {
        if (_current is not { } old)
            return;
        _current = null;
        old.Retired = true;
        if (old.Users == 0)
            old.Close();
        else if (drain <= TimeSpan.Zero)
            old.Abort();
        else
            old.Timer = time.CreateTimer(static state => ((Generation)state!).Abort(), old, drain, Timeout.InfiniteTimeSpan);
    }

    private void Release(Generation generation)
    {
        lock (_gate)
        {
            if (--generation.Users == 0 && generation.Retired)
                generation.Close();
        }
    }

    internal sealed class Generation(SocketsHttpHandler handler, ClientCertificate? certificate, X509Certificate2Collection? authorities)
    {
        private readonly CancellationTokenSource _aborted = new();

        internal HttpMessageInvoker Invoker { get; } = new(handler, disposeHandler: true);

        internal ClientCertificate? Certificate { get; } = certificate;

        internal X509Certificate2Collection? Authorities { get; } = authorities;

        internal CancellationToken Aborted => _aborted.Token;

        internal int Users { get; set; }

        internal bool Retired { get; set; }

        internal ITimer? Timer { get; set; }

        // Off the caller's thread: cancellation runs the continuations of every request.
        internal void Abort() => _ = _aborted.CancelAsync();

        internal void Close()
        {
            Timer?.Dispose();
            Invoker.Dispose();
        }
    }

    /// <summary>The right to use a generation's connections.</summary>
    internal sealed class Lease(ConnectionSet owner, Generation generation) : IDisposable
    {
        private int _released;

        internal HttpMessageInvoker Invoker => generation.Invoker;

        internal CancellationToken Aborted => generation.Aborted;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
                owner.Release(generation);
        }
    }
}
