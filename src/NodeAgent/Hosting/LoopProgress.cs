namespace NodeAgent.Hosting;

/// <summary>The progress of one loop. <see cref="Beat"/> costs one timestamp and may be called from any thread.</summary>
internal sealed class LoopProgress : IDisposable
{
    private readonly Func<bool>? idle;
    private readonly TimeProvider time;
    private readonly Action<LoopProgress> remove;
    private long last;
    private bool wasStuck;

    internal LoopProgress(string name, TimeSpan limit, Func<bool>? idle, TimeProvider time, Action<LoopProgress> remove)
    {
        Name = name;
        Limit = limit;
        this.idle = idle;
        this.time = time;
        this.remove = remove;
        last = time.GetTimestamp();
    }

    internal string Name { get; }

    internal TimeSpan Limit { get; }

    /// <summary>The loop got round.</summary>
    internal void Beat() => Volatile.Write(ref last, time.GetTimestamp());

    /// <summary>The loop has ended in good order and is watched no longer.</summary>
    public void Dispose() => remove(this);

    /// <summary>Called by the watchdog's thread only.</summary>
    internal (bool Stuck, bool Changed, TimeSpan Since) Observe()
    {
        if (idle?.Invoke() == true)
            Beat();
        TimeSpan since = time.GetElapsedTime(Volatile.Read(ref last));
        bool stuck = since > Limit;
        bool changed = stuck != wasStuck;
        wasStuck = stuck;
        return (stuck, changed, since);
    }
}
