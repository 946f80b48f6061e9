using NodeAgent.Harness.Host;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Harness.ControlPlanes;

/// <summary>Waits until an API server answers /readyz.</summary>
internal static class ReadyAnswer
{
    internal static async Task WaitAsync(ChildProcess server, string kubeconfig, TimeSpan limit)
    {
        using CancellationTokenSource gone = new();
        try
        {
            await Until.NothingMissesAsync($"{server.Name} is ready", limit, async () =>
            {
                if (!server.IsAlive) gone.Cancel();
                if (gone.IsCancellationRequested) return null;
                if (!File.Exists(kubeconfig)) return $"{kubeconfig} has not been written";
                using KubernetesClient client = new(KubeconfigLoader.Load(kubeconfig), new KubernetesClientOptions
                {
                    RequestTimeout = TimeSpan.FromSeconds(5),
                    MaximumRetries = 0,
                });
                await client.RawAsync(HttpMethod.Get, "/readyz");
                return null;
            });
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n{server.Log}:\n{server.LogTail()}", e);
        }
        if (gone.IsCancellationRequested)
            throw new InvalidOperationException($"{server.Name} ended at once; {server.Log}:\n{server.LogTail()}");
    }
}
