using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Kubelet.Workers;

/// <summary>
/// Bounds how many pods start at once: first come, first served. A start that takes longer than the limit stops counting, so
/// one that hangs (a CNI plugin, a slow pull) holds nobody up; while it pulls images it does not count either, and takes its turn again
/// before those that have not begun. Static and critical pods do not pass here.
/// </summary>
/// <param name="width">How many starts count at once.</param>
/// <param name="countsFor">How long a start counts at most.</param>
/// <param name="time">Clock.</param>
public sealed class StartGate(int width, TimeSpan countsFor, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _free = width;

    /// <summary>Waits for a turn; dispose the ticket when the start is done.</summary>
    public async Task<Ticket> EnterAsync(CancellationToken cancellationToken)
    {
        await TurnAsync(begun: false, cancellationToken);
        return new Ticket(this);
    }

    private Task TurnAsync(bool begun, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_free > 0)
            {
                _free--;
                return Task.CompletedTask;
            }

            var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            LinkedListNode<TaskCompletionSource> node = begun ? _waiting.AddFirst(waiter) : _waiting.AddLast(waiter);
            if (cancellationToken.CanBeCanceled)
            {
                CancellationTokenRegistration registration = cancellationToken.Register(() => GiveUp(node, cancellationToken));
                waiter.Task.ContinueWith(_ => registration.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            }

            return waiter.Task;
        }
    }

    private void GiveUp(LinkedListNode<TaskCompletionSource> node, CancellationToken cancellationToken)
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
        TaskCompletionSource? next = null;
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

        next?.TrySetResult();
    }

    private ITimer NewLimit(Ticket ticket) => time.CreateTimer(static t => ((Ticket)t!).Leave(), ticket, countsFor, Timeout.InfiniteTimeSpan);

    /// <summary>One start under way. Used by one caller at a time.</summary>
    public sealed class Ticket : IStartTurn, IDisposable
    {
        private readonly StartGate _gate;
        private ITimer _limit;
        private int _counts;

        internal Ticket(StartGate gate)
        {
            _gate = gate;
            _counts = 1;
            _limit = gate.NewLimit(this);
        }

        /// <inheritdoc/>
        public void Pause() => Dispose();

        /// <inheritdoc/>
        public async Task ResumeAsync(CancellationToken cancellationToken)
        {
            await _gate.TurnAsync(begun: true, cancellationToken);
            Volatile.Write(ref _counts, 1);
            _limit = _gate.NewLimit(this);
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            _limit.Dispose();
            Leave();
        }

        internal void Leave()
        {
            if (Interlocked.Exchange(ref _counts, 0) == 1)
            {
                _gate.Release();
            }
        }
    }
}
