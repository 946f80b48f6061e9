using Microsoft.Extensions.Logging;
using NodeAgent.Hosting;
using NodeAgent.Kubelet.Certificates;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Composition;

/// <summary>How the node gets and keeps its client certificate.</summary>
/// <param name="Options">Files and name.</param>
/// <param name="Rotate">rotateCertificates: the certificate is asked for and renewed while the agent runs.</param>
internal sealed record NodeIdentitySettings(TlsBootstrapOptions Options, bool Rotate);

/// <summary>
/// The node's own identity towards the API server. With rotation the agent runs at once and its requests carry the certificate from the
/// moment there is one; without, the first certificate is waited for before anything else (as upstream).
/// </summary>
internal sealed class NodeIdentity : IDisposable, IClientCertificateSource
{
    private readonly CertificateManager? _manager;
    private readonly TimeProvider _time;
    private readonly TlsBootstrap _bootstrap;
    private KubernetesClient? _request;
    private readonly KubernetesClient? _own;
    private readonly IClientCertificateSource? _fromFile;
    private readonly TaskCompletionSource? _first;

    public NodeIdentity(NodeIdentitySettings settings, ILoggerFactory loggers, TimeProvider time)
    {
        _time = time;
        _bootstrap = new TlsBootstrap(settings.Options, loggers.CreateLogger<TlsBootstrap>(), time);
        TlsBootstrapResult identities = _bootstrap.Prepare();
        if (!settings.Rotate)
        {
            Configuration = identities.Node;
            return;
        }

        _fromFile = identities.Node.ClientCertificate;
        _first = identities.IsBootstrap ? new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously) : null;
        Configuration = identities.Node with { ClientCertificate = this };
        _request = new KubernetesClient(identities.Request, null, time);
        _own = new KubernetesClient(Configuration, null, time);
        _manager = NodeCertificates.ClientManager(
            new NodeCertificateOptions { NodeName = settings.Options.NodeName, Hostname = settings.Options.NodeName, Folder = settings.Options.CertificateDirectory },
            _bootstrap.Store, held => held is null ? Requester() : _own, loggers.CreateLogger<CertificateManager>(), time);
        _manager.Rotated += _ =>
        {
            _first?.TrySetResult();
            _own.DropConnections();
            Rotated?.Invoke();
        };
    }

    /// <summary>A new certificate is in use: connections made with the one before are to be dropped.</summary>
    public event Action? Rotated;

    /// <summary>What every client of the node connects with.</summary>
    public ClientConfiguration Configuration { get; }

    /// <summary>Waits for the first certificate where nothing asks for it later.</summary>
    /// <param name="settings">Files and name.</param>
    /// <param name="services">Told that the agent has started before a wait: systemd's patience is shorter than an approval may take.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task BootstrapAsync(NodeIdentitySettings settings, FaceServices services, CancellationToken cancellationToken)
    {
        if (settings.Rotate || settings.Options.BootstrapKubeconfigPath.Length == 0)
        {
            return;
        }

        Task bootstrap = new TlsBootstrap(settings.Options, services.Logging.CreateLogger<TlsBootstrap>(), services.Time).RunAsync(cancellationToken);
        if (!bootstrap.IsCompleted)
        {
            services.Started("kubelet, waiting for its first certificate");
        }

        await bootstrap;
    }

    /// <summary>Asks for the certificate and renews it until cancelled.</summary>
    public Task RunAsync(CancellationToken cancellationToken) =>
        _manager?.RunAsync(cancellationToken) ?? Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>
    /// The managed certificate; before the first one that of the kubeconfig, if it has one. A node that has no identity yet waits here until
    /// its certificate arrives: a request without one would only be refused as that of nobody.
    /// </summary>
    public async ValueTask<ClientCertificate?> GetAsync(CancellationToken cancellationToken)
    {
        if (_manager?.Current is { } held)
        {
            return held;
        }

        if (_first is { Task.IsCompleted: false } first)
        {
            await first.Task.WaitAsync(cancellationToken);
            return _manager?.Current;
        }

        return _fromFile is null ? null : await _fromFile.GetAsync(cancellationToken);
    }

    // Called by the manager's loop alone. Until the first certificate this is the identity of the start; later it means that the last has expired.
    private KubernetesClient Requester()
    {
        if (_bootstrap.AfterExpiry() is { } anew)
        {
            _request!.Dispose();
            _request = new KubernetesClient(anew, null, _time);
        }

        return _request!;
    }

    public void Dispose()
    {
        _request?.Dispose();
        _own?.Dispose();
    }
}
