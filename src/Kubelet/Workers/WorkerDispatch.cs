namespace NodeAgent.Kubelet.Workers;

/// <summary>Whether passes get to run: the watchdog looks at it. A pass that takes long is no concern of it, one that never begins is.</summary>
public sealed class WorkerDispatch
{
    private int _waiting;

    /// <summary>Raised when a pass begins.</summary>
    public event Action? Progress;

    /// <summary>True while no pass waits to begin.</summary>
    public bool Idle => Volatile.Read(ref _waiting) == 0;

    internal void Queued() => Interlocked.Increment(ref _waiting);

    internal void Begun()
    {
        // First told, then counted: a pass that stands still here has not begun.
        Progress?.Invoke();
        Interlocked.Decrement(ref _waiting);
    }
}
