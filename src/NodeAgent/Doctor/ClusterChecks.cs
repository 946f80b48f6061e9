using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Doctor;

/// <summary>Whether the API server can be reached as the kubelet will, and what static pods' manifests look like.</summary>
internal static class ClusterChecks
{
    private const long LargestManifest = 10 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Asks the API server with the node's own kubeconfig; nothing where there is none yet.</summary>
    internal static async Task<IReadOnlyList<Finding>> ApiServerAsync(HostFiles host, KubeletFlags flags, TimeProvider time, CancellationToken cancellationToken)
    {
        if (flags.Kubeconfig.Length == 0 || !host.Exists(flags.Kubeconfig))
            return [];
        ClientConfiguration configuration;
        try
        {
            configuration = KubeconfigLoader.Load(host.At(flags.Kubeconfig), time: time);
        }
        catch (KubeconfigException e)
        {
            return [Finding.Fail("kubeconfig", e.Message, "correct the file, or join again")];
        }
        using KubernetesClient client = new(configuration, new KubernetesClientOptions { RequestTimeout = Limit, MaximumRetries = 0 }, time);
        try
        {
            await client.RawAsync(HttpMethod.Get, "/version", cancellationToken: cancellationToken);
            return [Finding.Ok("API server", $"{configuration.Server} answers")];
        }
        catch (ApiException e) when (e.IsUnauthorized)
        {
            return [Finding.Fail("API server", $"{configuration.Server} does not accept this node: {e.Message}", "renew the node's certificate, or join again with a new bootstrap token")];
        }
        catch (ApiException e)
        {
            return [Finding.Warn("API server", $"{configuration.Server} answers with an error: {e.Message}", "look at the API server's log")];
        }
        catch (KubernetesException e)
        {
            return [Finding.Fail("API server", e.Message, $"start it, or mend the network or the address in {flags.Kubeconfig} (now {configuration.Server}); pods that run go on meanwhile")];
        }
    }

    /// <summary>Manifests that would be refused for their size.</summary>
    internal static IEnumerable<Finding> StaticPods(HostFiles host, KubeletConfiguration configuration)
    {
        if (configuration.StaticPodPath.Length == 0)
            yield break;
        string[] large = [.. host.FilesIn(configuration.StaticPodPath).Where(file => new FileInfo(file).Length > LargestManifest)];
        foreach (string file in large)
            yield return Finding.Warn("static pods", $"{file} has more than 10 MiB: its pod does not run", "make the manifest smaller");
        if (large.Length == 0)
            yield return Finding.Ok("static pods", configuration.StaticPodPath);
    }
}
