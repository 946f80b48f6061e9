using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Proxy.Health;

namespace NodeAgent.Composition;

/// <summary>Waits for things of the own Node, and tells the health server of it.</summary>
internal sealed class ProxyNodeWatch(ProxyHealth? health) : IInformerHandler<Node>
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>As last seen; a deleted Node stays known, as upstream.</summary>
    public Node? Current { get; private set; }

    public void Added(Node item, bool initial) => Set(item);

    public void Updated(Node previous, Node current) => Set(current);

    public void Deleted(Node last)
    {
    }

    /// <summary>False where the condition did not come true in time.</summary>
    public async Task<bool> WaitAsync(Func<Node, bool> condition, TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (Current is { } node && condition(node))
                {
                    return true;
                }

                changed = _changed.Task;
            }

            try
            {
                await changed.WaitAsync(both.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return false;
            }
        }
    }

    private void Set(Node node)
    {
        health?.Observe(node);
        lock (_lock)
        {
            Current = node;
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
