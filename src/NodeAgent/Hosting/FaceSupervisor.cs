using Microsoft.Extensions.Logging;

namespace NodeAgent.Hosting;

/// <summary>Keeps one half running: a failed half is made anew after a back-off of 1 s, doubled up to 1 min, and starts over after 5 min of running.</summary>
internal sealed partial class FaceSupervisor(string name, Func<IAgentFace> create, TimeProvider time, ILogger<FaceSupervisor> logger)
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Settled = TimeSpan.FromMinutes(5);

    /// <summary>Runs the half until cancelled.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        TimeSpan delay = FirstDelay;
        while (!cancellationToken.IsCancellationRequested)
        {
            long begin = time.GetTimestamp();
            await RunOnceAsync(cancellationToken);
            if (cancellationToken.IsCancellationRequested)
                return;
            if (time.GetElapsedTime(begin) >= Settled)
                delay = FirstDelay;
            LogRestart(name, delay.TotalSeconds);
            try
            {
                await Task.Delay(delay, time, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
        }
    }

    private async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            int code = await Task.Run(() => create().RunAsync(cancellationToken), CancellationToken.None);
            if (!cancellationToken.IsCancellationRequested)
                LogEnded(name, code);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
#pragma warning disable CA1031 // A half that fails for any reason must not take the other with it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogFailed(e, name);
        }
    }

    [LoggerMessage(1011, LogLevel.Error, "The {Half} half failed")]
    private partial void LogFailed(Exception error, string half);

    [LoggerMessage(1012, LogLevel.Error, "The {Half} half ended with code {Code}")]
    private partial void LogEnded(string half, int code);

    [LoggerMessage(1013, LogLevel.Warning, "The {Half} half is started again in {Seconds:F0} s; the other half goes on")]
    private partial void LogRestart(string half, double seconds);
}
