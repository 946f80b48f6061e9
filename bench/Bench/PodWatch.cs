using System.Collections.Concurrent;
using System.Diagnostics;
using NodeAgent.Harness.Cluster;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Bench;

/// <summary>When pods of a namespace became Ready and when their objects went, as a watch tells it.</summary>
internal sealed class PodWatch : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<long>> _ready = new(), _gone = new();
    private readonly CancellationTokenSource _end = new();
    private readonly Task _loop;

    internal PodWatch(KubernetesClient client, string space) => _loop = WatchAsync(client, space);

    /// <summary>When the pod became Ready, as a <see cref="Stopwatch"/> time stamp.</summary>
    internal Task<long> ReadyAsync(string pod, TimeSpan limit) => WhenAsync(Of(_ready, pod).Task, $"{pod} is Ready", limit);

    /// <summary>When the pod's object was deleted.</summary>
    internal Task<long> GoneAsync(string pod, TimeSpan limit) => WhenAsync(Of(_gone, pod).Task, $"{pod} is gone", limit);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task<long> WhenAsync(Task<long> seen, string what, TimeSpan limit)
    {
        Task first = await Task.WhenAny(seen, _loop, Task.Delay(limit, _end.Token));
        return first == seen ? await seen
            : first == _loop ? throw new InvalidOperationException($"the watch of the pods ended: {_loop.Exception?.InnerException?.Message}")
            : throw new TimeoutException($"{what}: not within {limit.TotalSeconds:F0} s");
    }

    private static TaskCompletionSource<long> Of(ConcurrentDictionary<string, TaskCompletionSource<long>> times, string pod) =>
        times.GetOrAdd(pod, _ => new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task WatchAsync(KubernetesClient client, string space)
    {
        // From the list on: a watch without a version asks for a streaming list, which needs a newer etcd than Debian's.
        string? version = (await client.ListPageAsync<Pod>(space, ListOptions.All, _end.Token)).Metadata.ResourceVersion;
        while (!_end.IsCancellationRequested)
        {
            await foreach (WatchEvent<Pod> change in client.WatchAsync<Pod>(
                space, new WatchOptions { ResourceVersion = version, Timeout = TimeSpan.FromMinutes(30) }, _end.Token))
            {
                version = change.Object.Metadata.ResourceVersion;
                long now = Stopwatch.GetTimestamp();
                if (change.Type == WatchEventType.Bookmark)
                {
                    continue;
                }

                string name = change.Object.Metadata.Name ?? "";
                if (change.Type == WatchEventType.Deleted)
                {
                    Of(_gone, name).TrySetResult(now);
                }
                else if (Workloads.IsReady(change.Object))
                {
                    Of(_ready, name).TrySetResult(now);
                }
            }
        }
    }
}
