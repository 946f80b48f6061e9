using System.Collections.Concurrent;
using NodeAgent.Harness.Cluster;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>Every change of pods of a namespace, as a watch tells it: which of those that were Ready were seen otherwise.</summary>
internal sealed class ReadyWatch : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<string> _flaps = [];
    private readonly IReadOnlySet<string> _pods;
    private readonly Task _loop;

    private ReadyWatch(KubernetesClient client, string space, IReadOnlySet<string> pods, string? version)
    {
        _pods = pods;
        _loop = WatchAsync(client, space, version);
    }

    /// <summary>Begins with the pods as they are now.</summary>
    internal static async Task<ReadyWatch> StartAsync(KubernetesClient client, string space, IReadOnlySet<string> pods) =>
        new(client, space, pods, (await client.ListPageAsync<Pod>(space, ListOptions.All, CancellationToken.None)).Metadata.ResourceVersion);

    /// <summary>What was seen of the pods that was not Ready.</summary>
    /// <exception cref="InvalidOperationException">The watch broke: nothing can be said.</exception>
    internal IReadOnlyList<string> Flaps => _loop.IsCompleted
        ? throw new InvalidOperationException($"the watch of the pods ended: {_loop.Exception?.InnerException?.Message}")
        : [.. _flaps];

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task WatchAsync(KubernetesClient client, string space, string? version)
    {
        while (!_end.IsCancellationRequested)
        {
            await foreach (WatchEvent<Pod> change in client.WatchAsync<Pod>(
                space, new WatchOptions { ResourceVersion = version, Timeout = TimeSpan.FromMinutes(30) }, _end.Token))
            {
                version = change.Object.Metadata.ResourceVersion;
                if (change.Type == WatchEventType.Bookmark || !_pods.Contains(change.Object.Metadata.Name ?? ""))
                {
                    continue;
                }

                if (change.Type == WatchEventType.Deleted || !Workloads.IsReady(change.Object))
                {
                    _flaps.Enqueue($"{change.Type} {Workloads.Describe(change.Object)}");
                }
            }
        }
    }
}
