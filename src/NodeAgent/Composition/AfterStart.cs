namespace NodeAgent.Composition;

/// <summary>What a start leaves behind is given back once: the lists of a large cluster are many times what is kept of them, and at rest nothing would make the collector come.</summary>
internal static class AfterStart
{
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(5);

    /// <summary>Waits for the first pass of every family, tells of it, waits a moment more, gives memory back, and goes on waiting until cancelled.</summary>
    public static async Task TrimAsync(IReadOnlyCollection<ProxyFamily> families, TaskCompletionSource programmed, TimeProvider time, CancellationToken cancellationToken)
    {
        await Task.WhenAll(families.Select(f => f.Programmed)).WaitAsync(cancellationToken);
        programmed.TrySetResult();
        await Task.Delay(Settled, time, cancellationToken);
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
    }
}
