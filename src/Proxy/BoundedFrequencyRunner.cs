namespace NodeAgent.Proxy;

/// <summary>
/// Runs a task when asked: not sooner than the minimum interval after its last end, not later than the maximum interval, and
/// again after a failure: a second later, then
/// twice as long each time up to the retry interval (upstream waits for that at once). Requests coalesce. Source: pkg/proxy/runner/bounded_frequency_runner.go.
/// </summary>
/// <param name="run">True where it succeeded.</param>
/// <param name="minimum">From the end of one run to the start of the next.</param>
/// <param name="retry">After repeated failures.</param>
/// <param name="maximum">Without any request.</param>
/// <param name="time">Clock.</param>
public sealed class BoundedFrequencyRunner(
    Func<CancellationToken, Task<bool>> run, TimeSpan minimum, TimeSpan retry, TimeSpan maximum, TimeProvider time)
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1), BetweenUrgent = TimeSpan.FromMilliseconds(500);
    private readonly SemaphoreSlim _asked = new(0, 1), _urgent = new(0, 1);

    /// <summary>Asks for a run; never blocks.</summary>
    public void Run() => Ask(_asked);

    /// <summary>Asks for a run that does not wait for the minimum interval, and only for half a second where the last one did not either: whoever always hurries gets two runs in a second.</summary>
    public void RunAtOnce()
    {
        Ask(_urgent);
        Ask(_asked);
    }

    private static void Ask(SemaphoreSlim which)
    {
        try
        {
            which.Release();
        }
        catch (SemaphoreFullException)
        {
            // One run already waits: it will see this request's change too.
        }
    }

    /// <summary>Works until cancelled.</summary>
    public async Task LoopAsync(CancellationToken cancellationToken)
    {
        TimeSpan wait = maximum, back = FirstRetry;
        bool hurried = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                using (var limit = new CancellationTokenSource(wait, time))
                using (var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken))
                {
                    try
                    {
                        await _asked.WaitAsync(both.Token);
                    }
                    catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                    {
                        // Nobody asked: the maximum or retry interval has passed.
                    }
                }

                _urgent.Wait(0, CancellationToken.None);
                bool done = await run(cancellationToken);
                TimeSpan longest = retry < maximum ? retry : maximum;
                wait = done ? maximum : back < longest ? back : longest;
                back = done ? FirstRetry : 2 * wait;
                if (minimum > TimeSpan.Zero)
                {
                    hurried = await PauseAsync(hurried, cancellationToken);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    /// <summary>The minimum interval; true where it was cut short.</summary>
    private async Task<bool> PauseAsync(bool hurried, CancellationToken cancellationToken)
    {
        TimeSpan first = !hurried ? TimeSpan.Zero : BetweenUrgent < minimum ? BetweenUrgent : minimum;
        if (hurried)
        {
            await Task.Delay(first, time, cancellationToken);
        }

        if (first >= minimum)
        {
            return false;
        }

        using var limit = new CancellationTokenSource(minimum - first, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await _urgent.WaitAsync(both.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
