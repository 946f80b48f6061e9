using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Certificates;

/// <summary>Where TLS bootstrap reads and writes.</summary>
/// <param name="KubeconfigPath">The kubeconfig to make (--kubeconfig).</param>
/// <param name="BootstrapKubeconfigPath">The one with the bootstrap token (--bootstrap-kubeconfig); empty for none.</param>
/// <param name="CertificateDirectory">The certificate folder (--cert-dir).</param>
/// <param name="NodeName">The node's name.</param>
public sealed record TlsBootstrapOptions(string KubeconfigPath, string BootstrapKubeconfigPath, string CertificateDirectory, string NodeName);

/// <summary>The two identities of a node that rotates its client certificate.</summary>
/// <param name="Request">To ask for certificates with as long as there is none: the bootstrap token, or the same as the other.</param>
/// <param name="Node">The node's own.</param>
public sealed record TlsBootstrapResult(ClientConfiguration Request, ClientConfiguration Node)
{
    /// <summary>True while the node has no identity of its own yet.</summary>
    public bool IsBootstrap => !ReferenceEquals(Request, Node);
}

/// <summary>Gets a node its first client certificate (upstream: pkg/kubelet/certificate/bootstrap).</summary>
public sealed partial class TlsBootstrap(TlsBootstrapOptions options, ILogger logger, TimeProvider? time = null)
{
    private const string PendingKey = "kubelet-client.key.tmp";
    private static readonly TimeSpan RequestLimit = TimeSpan.FromHours(1);
    private static readonly TimeSpan ServerLimit = TimeSpan.FromMinutes(1);
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <summary>The store of the node's client certificate, for a <see cref="CertificateManager"/>.</summary>
    public CertificateStore Store { get; } = new(options.CertificateDirectory, "kubelet-client", time: time);

    /// <summary>
    /// Without rotation: makes sure that the kubeconfig exists with an unexpired certificate, waiting for one up to an hour.
    /// </summary>
    /// <exception cref="KubeconfigException">The bootstrap kubeconfig cannot be used.</exception>
    /// <exception cref="CertificateRequestException">The request was refused or not answered.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (options.BootstrapKubeconfigPath.Length == 0 || TryLoadValid() is not null)
            return;
        ClientConfiguration bootstrap = KubeconfigLoader.Load(options.BootstrapKubeconfigPath, time: _time);
        using KubernetesClient client = new(bootstrap, null, _time);
        string pending = Path.Combine(options.CertificateDirectory, PendingKey);
        using PrivateKey key = StoredKey() ?? LoadOrGenerate(pending);
        await WaitForServerAsync(client, cancellationToken);
        CertificateTemplate template = CertificateTemplate.Node(options.NodeName);
        IReadOnlyList<string> usages = key.Usages("client auth", digestOrder: true);
        CertificateSigning signing = new(client, _time, logger);
        string chain = await signing.RequestAsync(
            template.SignRequest(key), template.DigestedName(key, usages), SignerNames.KubeletClient, usages, RequestLimit, cancellationToken);
        Store.Update(chain, key.ToPem());
        File.Delete(pending);
        WriteKubeconfig();
    }

    /// <summary>
    /// With rotation: writes the kubeconfig that points at the certificate to come, and gives the identities. The node's takes its
    /// certificate from the manager: use <c>result.Node with { ClientCertificate = manager }</c>.
    /// </summary>
    public TlsBootstrapResult Prepare()
    {
        if (options.BootstrapKubeconfigPath.Length == 0)
        {
            ClientConfiguration only = KubeconfigLoader.Load(options.KubeconfigPath, time: _time);
            return new TlsBootstrapResult(only, only);
        }
        if (TryLoadValid() is { } valid)
            return new TlsBootstrapResult(valid, valid);
        ClientConfiguration bootstrap = KubeconfigLoader.Load(options.BootstrapKubeconfigPath, time: _time);
        WriteKubeconfig();
        return new TlsBootstrapResult(bootstrap, bootstrap with { Source = options.KubeconfigPath, Credentials = null, ClientCertificate = null });
    }

    /// <summary>
    /// Whom to ask as once the node's certificate has expired while the agent ran: the bootstrap kubeconfig as it is now, since somebody
    /// may have put a new token there. Null where there is none that can be used; upstream's kubelet ends itself to get there.
    /// </summary>
    public ClientConfiguration? AfterExpiry()
    {
        if (options.BootstrapKubeconfigPath.Length == 0 || !File.Exists(options.BootstrapKubeconfigPath))
            return null;
        try
        {
            return Prepare().Request;
        }
        catch (KubeconfigException e)
        {
            LogInvalid(options.BootstrapKubeconfigPath, e.Message);
            return null;
        }
    }

    private ClientConfiguration? TryLoadValid()
    {
        if (!File.Exists(options.KubeconfigPath))
            return null;
        try
        {
            ClientConfiguration found = KubeconfigLoader.Load(options.KubeconfigPath, time: _time);
            ValueTask<ClientCertificate?> held = found.ClientCertificate?.GetAsync(CancellationToken.None) ?? default;
            X509Certificate2? leaf = held.IsCompletedSuccessfully ? held.Result?.Leaf : null;
            if (leaf is not null && leaf.NotAfter.ToUniversalTime() > _time.GetUtcNow().UtcDateTime)
                return found;
            LogInvalid(options.KubeconfigPath, leaf is null ? "it has no client certificate" : "its client certificate has expired");
        }
        catch (KubeconfigException e)
        {
            LogInvalid(options.KubeconfigPath, e.Message);
        }
        return null;
    }

    private PrivateKey? StoredKey()
    {
        try
        {
            return Store.CurrentPem() is { } pem ? PrivateKey.FromPem(pem.Key) : null;
        }
        catch (Exception e) when (e is CryptographicException or IOException)
        {
            return null;
        }
    }

    private static PrivateKey LoadOrGenerate(string path)
    {
        try
        {
            if (File.Exists(path))
                return PrivateKey.FromPem(File.ReadAllText(path));
        }
        catch (CryptographicException)
        {
            // Half written by an agent that ended: a new one.
        }
        PrivateKey key = PrivateKey.Generate();
        SecretFile.Write(path, Encoding.ASCII.GetBytes(key.ToPem() + "\n"));
        return key;
    }

    private async Task WaitForServerAsync(KubernetesClient client, CancellationToken cancellationToken)
    {
        long began = _time.GetTimestamp();
        string last = "";
        while (_time.GetElapsedTime(began) < ServerLimit)
        {
            try
            {
                await client.RawAsync(HttpMethod.Get, "/healthz", default, null, cancellationToken);
                return;
            }
            catch (KubernetesException e)
            {
                last = e.Message;
            }
            await Task.Delay(TimeSpan.FromSeconds(2) * (1 + (0.2 * Random.Shared.NextDouble())), _time, cancellationToken);
        }
        LogServerAway(last);
    }

    private void WriteKubeconfig()
    {
        KubeconfigFile bootstrap = KubeconfigReader.Read(options.BootstrapKubeconfigPath);
        KubeconfigCluster cluster = bootstrap.Clusters[bootstrap.Contexts[bootstrap.CurrentContext].Cluster];
        string folder = Path.GetDirectoryName(bootstrap.Path)!;
        bool inline = cluster.CertificateAuthorityData is { Length: > 0 };
        string? file = inline || string.IsNullOrEmpty(cluster.CertificateAuthority) ? null : Path.GetFullPath(cluster.CertificateAuthority, folder);
        KubeconfigUser user = new() { ClientCertificate = Store.CurrentPath, ClientKey = Store.CurrentPath };
        KubeconfigFile result = new(
            options.KubeconfigPath,
            new Dictionary<string, KubeconfigCluster> { ["default-cluster"] = cluster with { CertificateAuthority = file, ExecExtension = null } },
            new Dictionary<string, KubeconfigUser> { ["default-auth"] = user },
            new Dictionary<string, KubeconfigContext> { ["default-context"] = new("default-cluster", "default-auth", "default") },
            "default-context");
        KubeconfigWriter.Write(result, options.KubeconfigPath);
        LogWritten(options.KubeconfigPath);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Bootstrapping, because {Path} cannot be used: {Reason}")]
    private partial void LogInvalid(string path, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server does not answer yet, asking for the certificate anyway: {Error}")]
    private partial void LogServerAway(string error);

    [LoggerMessage(Level = LogLevel.Information, Message = "Wrote {Path}")]
    private partial void LogWritten(string path);
}
