using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Composition;
using NodeAgent.Kubernetes.Certificates;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.NodeAgent.Tests.Composition;

public sealed class NodeIdentityTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("identity").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task A_node_that_has_only_a_bootstrap_token_makes_no_request_as_nobody_but_waits_for_its_certificate()
    {
        using NodeIdentity identity = Identity(WriteKubeconfig("bootstrap.conf"), Path.Combine(folder, "kubelet.conf"));
        using CancellationTokenSource end = new();
        Task<ClientCertificate?> asked = identity.Configuration.ClientCertificate!.GetAsync(end.Token).AsTask();
        Assert.False(asked.IsCompleted);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    [Fact]
    public async Task A_node_with_a_token_of_its_own_waits_for_nothing()
    {
        using NodeIdentity identity = Identity("", WriteKubeconfig("kubelet.conf"));
        Assert.Null(await identity.Configuration.ClientCertificate!.GetAsync(default));
    }

    private NodeIdentity Identity(string bootstrap, string kubeconfig) => new(
        new NodeIdentitySettings(new TlsBootstrapOptions(kubeconfig, bootstrap, Path.Combine(folder, "pki"), "node"), Rotate: true),
        NullLoggerFactory.Instance, TimeProvider.System);

    private string WriteKubeconfig(string name)
    {
        string file = Path.Combine(folder, name);
        File.WriteAllText(file, """
            apiVersion: v1
            kind: Config
            clusters: [{name: c, cluster: {server: "https://127.0.0.1:1", insecure-skip-tls-verify: true}}]
            users: [{name: u, user: {token: abc}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """);
        return file;
    }
}
