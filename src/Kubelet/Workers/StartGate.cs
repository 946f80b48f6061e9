namespace NodeAgent.Kubelet.Workers;

/// <summary>
/// Bounds how many pods start at once: first come, first served. A start that takes longer than the limit stops counting, so
/// one that hangs (a CNI plugin, a slow pull) holds nobody up. Static and critical pods do not pass here.
/// </summary>
/// <param name="width">How many starts count at once.</param>
/// <param name="countsFor">How long a start counts at most.</param>
/// <param name="time">Clock.</param>
public sealed class StartGate(int width, TimeSpan countsFor, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource<Ticket>> _waiting = [];
    private int _free = width;

    /// <summary>Waits for a turn; dispose the ticket when the start is done.</summary>
    public Task<Ticket> EnterAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_free > 0)
            {
                _free--;
                return Task.FromResult(new Ticket(this));
            }

            var waiter = new TaskCompletionSource<Ticket>(TaskCreationOptions.RunContinuationsAsynchronously);
            LinkedListNode<TaskCompletionSource<Ticket>> node = _waiting.AddLast(waiter);
            if (cancellationToken.CanBeCanceled)
            {
                CancellationTokenRegistration registration = cancellationToken.Register(() => GiveUp(node, cancellationToken));
                waiter.Task.ContinueWith(_ => registration.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            return waiter.Task;
        }
    }

    private void GiveUp(LinkedListNode<TaskCompletionSource<Ticket>> node, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (node.List is null)
            {
                return;
            }

            _waiting.Remove(node);
        }

        node.Value.TrySetCanceled(cancellationToken);
    }

    private void Release()
    {
        TaskCompletionSource<Ticket>? next = null;
        lock (_lock)
        {
            if (_waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                next = first.Value;
            }
            else
            {
                _free++;
            }
        }

        next?.TrySetResult(new Ticket(this));
    }

    /// <summary>One start under way.</summary>
    public sealed class Ticket : IDisposable
    {
        private readonly StartGate _gate;
        private readonly ITimer _limit;
        private int _released;

        internal Ticket(StartGate gate)
        {
            _gate = gate;
            _limit = gate.NewLimit(this);
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            _limit.Dispose();
            Leave();
        }

        internal void Leave()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
            {
                _gate.Release();
            }
        }
    }

    private ITimer NewLimit(Ticket ticket) => time.CreateTimer(static t => ((Ticket)t!).Leave(), ticket, countsFor, Timeout.InfiniteTimeSpan);
}
