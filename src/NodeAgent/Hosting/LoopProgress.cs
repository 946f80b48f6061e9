namespace NodeAgent.Hosting;

/// <summary>The progress of one loop. <see cref="Beat"/> costs one timestamp and may be called from any thread.</summary>
internal sealed class LoopProgress : IDisposable
{
    private readonly Func<bool>? idle;
    private readonly TimeProvider time;
    private readonly Action<LoopProgress> remove;
    private readonly LoopStall? stall;
    private long last;
    private bool wasStuck;

    internal LoopProgress(string name, TimeSpan limit, Func<bool>? idle, TimeProvider time, Action<LoopProgress> remove, LoopStall? stall)
    {
        Name = name;
        Limit = limit;
        this.idle = idle;
        this.time = time;
        this.remove = remove;
        this.stall = stall;
        last = time.GetTimestamp();
    }

    internal string Name { get; }

    internal TimeSpan Limit { get; }

    /// <summary>Why the loop could not be asked whether it is idle; null when it could.</summary>
    internal string? Failure { get; private set; }

    /// <summary>The loop got round.</summary>
    internal void Beat()
    {
        stall?.Pass(Name);
        Touch();
    }

    /// <summary>The loop has ended in good order and is watched no longer.</summary>
    public void Dispose() => remove(this);

    /// <summary>Called by the watchdog's thread only.</summary>
    internal (bool Stuck, bool Changed, TimeSpan Since) Observe()
    {
        if (IsIdle())
            Touch();
        TimeSpan since = time.GetElapsedTime(Volatile.Read(ref last));
        bool stuck = since > Limit;
        bool changed = stuck != wasStuck;
        wasStuck = stuck;
        return (stuck, changed, since);
    }

    private void Touch() => Volatile.Write(ref last, time.GetTimestamp());

    // A question that fails is no sign of life, and must not end the process from the watchdog's thread.
    private bool IsIdle()
    {
        try
        {
            return idle?.Invoke() == true;
        }
#pragma warning disable CA1031 // Whatever went wrong, the loop counts as not idle and is named when its limit is over.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Failure = e.Message;
            return false;
        }
    }
}
