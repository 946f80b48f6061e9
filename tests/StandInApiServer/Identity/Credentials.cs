using NodeAgent.Kubernetes.Kubeconfig;

namespace NodeAgent.StandIn.Identity;

/// <summary>Kubeconfig files for this server.</summary>
internal static class Credentials
{
    public static KubeconfigFile File(Uri server, string authority, string userName, KubeconfigUser user)
    {
        KubeconfigCluster cluster = new()
        {
            Server = server.ToString().TrimEnd('/'),
            CertificateAuthorityData = System.Text.Encoding.ASCII.GetBytes(authority),
        };
        return new KubeconfigFile(
            "",
            new Dictionary<string, KubeconfigCluster> { ["stand-in"] = cluster },
            new Dictionary<string, KubeconfigUser> { [userName] = user },
            new Dictionary<string, KubeconfigContext> { [userName] = new("stand-in", userName, null) },
            userName);
    }
}
