using Microsoft.Extensions.Logging;

namespace NodeAgent.Hosting;

/// <summary>
/// The proxy half beside the kubelet half: it stays off, or is ended, while another kube-proxy runs on the host, and comes (back) when that
/// is gone. A DaemonSet's kube-proxy starts after the agent that starts it, so one look at the start would miss it. Looks once a minute.
/// </summary>
/// <param name="findOther">What another proxy was known by, or null; told whether our own runs.</param>
/// <param name="run">Runs the half, made anew after failures, until cancelled. Rules stay as they are.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class ProxyHalf(Func<bool, string?> findOther, Func<CancellationToken, Task> run, TimeProvider time, ILogger<ProxyHalf> logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>Runs until cancelled.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        string? told = null;
        CancellationTokenSource? own = null;
        Task running = Task.CompletedTask;
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                string? other = findOther(own is not null);
                if (other is null && own is null)
                {
                    own = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                    running = run(own.Token);
                }
                else if (other is not null && own is not null)
                {
                    await EndAsync(own, running);
                    own = null;
                }

                if (other is not null && other != told)
                    LogOff(other);
                else if (other is null && told is not null)
                    LogOn();
                told = other;
                await Task.Delay(Period, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            if (own is not null)
                await EndAsync(own, running);
        }
    }

    private static async Task EndAsync(CancellationTokenSource own, Task running)
    {
        await own.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        own.Dispose();
    }

    [LoggerMessage(1021, LogLevel.Warning, "The kube-proxy half is off, because two would overwrite each other's rules: {Reason}")]
    private partial void LogOff(string reason);

    [LoggerMessage(1022, LogLevel.Information, "The other kube-proxy is gone; the kube-proxy half starts")]
    private partial void LogOn();
}
