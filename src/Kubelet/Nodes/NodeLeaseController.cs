using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>
/// Renews the node's Lease every quarter of its duration, on a thread of its own. After the second failure in a row, and each one
/// after, all connections are dropped. Source: component-helpers/apimachinery/lease/controller.go.
/// </summary>
/// <param name="client">A client of its own.</param>
/// <param name="info">Gives the Node's UID for the owner reference.</param>
/// <param name="duration">nodeLeaseDurationSeconds.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class NodeLeaseController(IKubernetesClient client, NodeInfo info, TimeSpan duration, TimeProvider time, ILogger<NodeLeaseController> logger)
{
    /// <summary>Where node leases are.</summary>
    public const string Namespace = "kube-node-lease";

    private const int Tries = 5;
    private Lease? _lease;
    private int _failures;
    private bool _doubtful;

    /// <summary>
    /// All tries of a renewal failed, and no refusal was the reason: the other clients' connections may lead nowhere, too. Not sooner:
    /// a server that is slow because it has too much to do must not get every watch of every node anew.
    /// </summary>
    public event Action? ConnectionsDoubtful;

    /// <summary>Renews until cancelled. The returned task ends with the thread.</summary>
    public Task RunAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() => Loop(done, cancellationToken)) { IsBackground = true, Name = "node-lease", Priority = ThreadPriority.AboveNormal };
        thread.Start();
        return done.Task;
    }

    /// <summary>One renewal with up to five tries. True where it succeeded.</summary>
    public async Task<bool> RenewAsync(CancellationToken cancellationToken)
    {
        _doubtful = false;
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            try
            {
                _lease = _lease is null ? await GetOrCreateAsync(cancellationToken) : await client.UpdateAsync(Renewed(_lease), null, cancellationToken);
                if (_failures > 0)
                {
                    LogRecovered(info.Name, _failures);
                    _failures = 0;
                }

                return true;
            }
            catch (ApiException e) when (e.IsConflict || e.IsNotFound)
            {
                _lease = null; // changed or deleted by another: read it again
            }
#pragma warning disable CA1031 // Whatever a try fails with (a credential plugin, a certificate file), the lease must be tried again.
            catch (Exception e) when (!(e is OperationCanceledException && cancellationToken.IsCancellationRequested))
#pragma warning restore CA1031
            {
                OnFailure(e);
            }
        }

        if (_doubtful)
        {
            ConnectionsDoubtful?.Invoke();
        }

        return false;
    }

    private async Task<Lease> GetOrCreateAsync(CancellationToken cancellationToken)
    {
        try
        {
            Lease existing = await client.GetAsync<Lease>(Namespace, info.Name, null, cancellationToken);
            return await client.UpdateAsync(Renewed(existing), null, cancellationToken);
        }
        catch (ApiException e) when (e.IsNotFound)
        {
            return await client.CreateAsync(Renewed(new Lease { Metadata = new ObjectMeta { Name = info.Name, Namespace = Namespace } }), cancellationToken);
        }
    }

    /// <summary>The lease as it is to be written now.</summary>
    internal Lease Renewed(Lease lease)
    {
        string? uid = info.Current?.Metadata.Uid;
        IReadOnlyList<OwnerReference> owners = lease.Metadata.OwnerReferences;
        if (owners.Count == 0 && !string.IsNullOrEmpty(uid))
        {
            owners = [new OwnerReference { ApiVersion = "v1", Kind = "Node", Name = info.Name, Uid = uid }];
        }

        return lease with
        {
            Metadata = lease.Metadata with { OwnerReferences = owners },
            Spec = lease.Spec with
            {
                HolderIdentity = info.Name,
                LeaseDurationSeconds = (int)duration.TotalSeconds,
                RenewTime = time.GetUtcNow(),
            },
        };
    }

    private void Loop(TaskCompletionSource done, CancellationToken cancellationToken)
    {
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                bool renewed = RenewAsync(cancellationToken).GetAwaiter().GetResult();
                TimeSpan wait = renewed ? 0.25 * duration * (1 + (0.04 * Random.Shared.NextDouble())) : FailureWait();
                Task.Delay(wait, time, cancellationToken).GetAwaiter().GetResult();
            }

            done.TrySetResult();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            done.TrySetResult();
        }
        catch (Exception e)
        {
            done.TrySetException(e);
        }
    }

    // After five failed tries in a row the next round begins soon, never later than a usual renewal.
    private TimeSpan FailureWait() => TimeSpan.FromMilliseconds(Math.Min(100 * Math.Pow(2, Math.Min(_failures / Tries, 6)), Math.Min(7000, duration.TotalMilliseconds / 4)));

    private void OnFailure(Exception e)
    {
        if (++_failures == 1)
        {
            LogFailure(info.Name, e.Message);
        }

        if (_failures >= 2 && HeartbeatFailures.CastDoubtOnConnections(e))
        {
            client.DropConnections();
            _doubtful = true;
        }
    }

    [LoggerMessage(3021, LogLevel.Warning, "Lease of node {Node} cannot be renewed: {Cause}")]
    private partial void LogFailure(string node, string cause);

    [LoggerMessage(3022, LogLevel.Warning, "Lease of node {Node} is renewed again after {Failures} failed tries")]
    private partial void LogRecovered(string node, int failures);
}
