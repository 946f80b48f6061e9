using System.Net;
using System.Net.Security;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Certificates;

/// <summary>Settings of the node's certificates.</summary>
public sealed record NodeCertificateOptions
{
    /// <summary>The node's name.</summary>
    public required string NodeName { get; init; }
    /// <summary>The host's name, for a self-signed certificate.</summary>
    public required string Hostname { get; init; }
    /// <summary>--cert-dir.</summary>
    public required string Folder { get; init; }
    /// <summary>tlsCertFile.</summary>
    public string TlsCertFile { get; init; } = "";
    /// <summary>tlsPrivateKeyFile.</summary>
    public string TlsPrivateKeyFile { get; init; } = "";
    /// <summary>serverTLSBootstrap.</summary>
    public bool ServerTlsBootstrap { get; init; }
}

/// <summary>Builds certificate managers and the serving certificate from the configuration. Source: pkg/kubelet/certificate/kubelet.go.</summary>
public static class NodeCertificates
{
    /// <summary>Keeps the node's client certificate valid (rotateCertificates). Run it; on Rotated, drop the clients' connections.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="store">The bootstrap's store.</param>
    /// <param name="client">The client to ask with; null certificate = bootstrap identity.</param>
    /// <param name="logger">Log.</param>
    /// <param name="time">Clock.</param>
    public static CertificateManager ClientManager(
        NodeCertificateOptions options, CertificateStore store, Func<ClientCertificate?, IKubernetesClient> client, ILogger logger, TimeProvider time) =>
        new(new CertificateManagerOptions
        {
            Name = "kubelet client",
            SignerName = "kubernetes.io/kube-apiserver-client-kubelet",
            Purpose = "client auth",
            Template = () => CertificateTemplate.Node(options.NodeName),
            Client = client,
        }, store, logger, time);

    /// <summary>Keeps the serving certificate valid (serverTLSBootstrap). Call TemplateChanged when the node's addresses change.</summary>
    /// <param name="options">Settings.</param>
    /// <param name="node">The own Node; its addresses go into the certificate.</param>
    /// <param name="client">The node's client.</param>
    /// <param name="logger">Log.</param>
    /// <param name="time">Clock.</param>
    public static CertificateManager ServingManager(
        NodeCertificateOptions options, NodeInfo node, IKubernetesClient client, ILogger logger, TimeProvider time) =>
        new(new CertificateManagerOptions
        {
            Name = "kubelet serving",
            SignerName = "kubernetes.io/kubelet-serving",
            Purpose = "server auth",
            Template = () => ServingTemplate(options.NodeName, node.Current?.Status.Addresses ?? []),
            Client = _ => client,
        }, new CertificateStore(options.Folder, "kubelet-server", options.TlsCertFile, options.TlsPrivateKeyFile, time), logger, time);

    /// <summary>The serving certificate where no manager keeps it: the configured files, else a self-signed pair in the folder.</summary>
    public static IServingCertificate FromFiles(NodeCertificateOptions options, IReadOnlyList<IPAddress> addresses, TimeProvider time)
    {
        if (options.TlsCertFile.Length > 0 != options.TlsPrivateKeyFile.Length > 0)
        {
            throw new InvalidOperationException("tlsCertFile and tlsPrivateKeyFile must be set together");
        }

        (string certificate, string key) = options.TlsCertFile.Length > 0
            ? (options.TlsCertFile, options.TlsPrivateKeyFile)
            : SelfSignedServingCertificate.Ensure(options.Folder, options.Hostname, addresses, time.GetUtcNow());
        return new FileServingCertificate(certificate, key, time);
    }

    /// <summary>What a serving certificate says; null until at least one address is known. Pure.</summary>
    public static CertificateTemplate? ServingTemplate(string nodeName, IReadOnlyList<NodeAddress> addresses)
    {
        SortedSet<string> names = new(StringComparer.Ordinal), ips = new(StringComparer.Ordinal);
        foreach (NodeAddress address in addresses)
        {
            bool isIP = IPAddress.TryParse(address.Address, out _);
            if (isIP)
            {
                ips.Add(address.Address);
            }
            else if (address.Type is "Hostname" or "InternalDNS" or "ExternalDNS")
            {
                names.Add(address.Address);
            }
        }

        return ips.Count == 0 ? null : CertificateTemplate.Node(nodeName) with { DnsNames = [.. names], Addresses = [.. ips.Select(IPAddress.Parse)] };
    }
}

/// <summary>The serving certificate a manager keeps; none until the request is approved, as upstream.</summary>
/// <param name="manager">From <see cref="NodeCertificates.ServingManager"/>.</param>
public sealed class ManagedServingCertificate(CertificateManager manager) : IServingCertificate
{
    /// <inheritdoc/>
    public SslStreamCertificateContext? Current => manager.Current?.Context;
}
