using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using NodeAgent.Hosting;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Systemd;
using NodeAgent.Logging;

namespace NodeAgent.Commands;

/// <summary>What surrounds the halves: log, signals, systemd, watchdog, exit code.</summary>
internal sealed partial class AgentProcess : IDisposable
{
    // Less than systemd's 90 s, so that the end is ours; pods are left running and need no time.
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(25);

    private readonly ServiceManagerNotifier notifier = ServiceManagerNotifier.FromEnvironment();
    private readonly AgentLoggerFactory logging;
    private readonly ILogger logger;
    private readonly ProgressWatchdog watchdog;
    private readonly TimeProvider time;
    private int started;

    internal AgentProcess(LoggingConfiguration configuration, TimeProvider time)
    {
        this.time = time;
        logging = CreateLogging(configuration, time);
        logger = logging.CreateLogger<AgentProcess>();
        TimeSpan? interval = ServiceManagerNotifier.WatchdogInterval(
            Environment.GetEnvironmentVariable("WATCHDOG_USEC"), Environment.GetEnvironmentVariable("WATCHDOG_PID"));
        watchdog = new ProgressWatchdog(notifier, interval, time, logging.CreateLogger<ProgressWatchdog>(), LoopStall.FromEnvironment());
        Services = new FaceServices(logging, time, notifier, watchdog, Started);
    }

    /// <summary>What the halves get.</summary>
    internal FaceServices Services { get; }

    /// <summary>Runs until the body ends or a signal came and the body had its time to end.</summary>
    internal async Task<int> RunAsync(string name, IReadOnlyList<ConfigurationProblem> problems, Func<CancellationToken, Task<int>> body)
    {
        using ProcessSignals signals = new(Environment.Exit);
        foreach (ConfigurationProblem problem in problems)
            LogProblem(problem.ToString());
        LogStarting(name, BuildVersion.Agent, BuildVersion.Kubernetes);
        watchdog.Start();
        using CancellationTokenRegistration stopping = signals.Stopping.Register(() => notifier.Stopping("stopping; pods go on running"));
        try
        {
            Task<int> run = Task.Run(() => body(signals.Stopping), CancellationToken.None);
            await Task.WhenAny(run, AfterStopLimit(signals.Stopping));
            if (run.IsCompleted)
                return await run;
            LogStopLimit(StopLimit.TotalSeconds);
            return ExitCodes.Failure;
        }
        catch (OperationCanceledException) when (signals.Stopping.IsCancellationRequested)
        {
            return ExitCodes.Success;
        }
#pragma warning disable CA1031 // The last place where an error can be told.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (IsOperators(e))
                LogRefused(name, e.Message);
            else
                LogFailed(e, name);
            return ExitCodes.Failure;
        }
    }

    // What files, certificates, ports or the host are the cause of; a stack trace would hide the message.
    private static bool IsOperators(Exception e) => e is StartRefusedException or KubeconfigException or KubernetesException or IOException or UnauthorizedAccessException
        or FormatException or CryptographicException or CgroupException;

    public void Dispose()
    {
        watchdog.Dispose();
        notifier.Dispose();
        logging.Dispose();
    }

    private static AgentLoggerFactory CreateLogging(LoggingConfiguration configuration, TimeProvider time)
    {
        LogFormat format = configuration.Format == "json" ? LogFormat.Json : JournalStream.Detect() ? LogFormat.Journal : LogFormat.Text;
        return new AgentLoggerFactory(format, new Verbosity(configuration), new LogWriter(Console.OpenStandardError()), time);
    }

    private void Started(string status)
    {
        if (Interlocked.Exchange(ref started, 1) == 0)
            notifier.Ready(status);
    }

    private async Task AfterStopLimit(CancellationToken stopping)
    {
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = stopping.Register(() => asked.TrySetResult());
        await asked.Task;
        await Task.Delay(StopLimit, time, CancellationToken.None);
    }

    [LoggerMessage(1031, LogLevel.Information, "Starting {Face}, NodeAgent {Version} for Kubernetes {Kubernetes}")]
    private partial void LogStarting(string face, string version, string kubernetes);

    [LoggerMessage(1032, LogLevel.Warning, "Configuration: {Problem}")]
    private partial void LogProblem(string problem);

    [LoggerMessage(1033, LogLevel.Critical, "{Face} ended by an error")]
    private partial void LogFailed(Exception error, string face);

    [LoggerMessage(1035, LogLevel.Critical, "{Face} ended: {Error}")]
    private partial void LogRefused(string face, string error);

    [LoggerMessage(1034, LogLevel.Error, "Not everything ended within {Seconds:F0} s; exiting anyway, pods go on running")]
    private partial void LogStopLimit(double seconds);
}
