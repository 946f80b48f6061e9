using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Systemd;

namespace NodeAgent.Hosting;

/// <summary>
/// Feeds systemd's watchdog as long as every registered loop made progress within its limit, on a thread of its own. A loop that is stuck
/// is named in the log once, and again when it moves on; then systemd restarts the agent unless the loop recovers in time.
/// </summary>
internal sealed partial class ProgressWatchdog : IDisposable
{
    private readonly ServiceManagerNotifier notifier;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly TimeSpan? interval;
    private readonly LoopStall? stall;
    private readonly Lock gate = new();
    private readonly List<LoopProgress> loops = [];
    private readonly ManualResetEventSlim end = new();
    private Thread? thread;

    /// <param name="notifier">systemd.</param>
    /// <param name="interval">What systemd wants; null when it has no watchdog for us: then loops are still observed and logged.</param>
    /// <param name="time">The clock that limits are measured with.</param>
    /// <param name="logger">Where stuck loops are named.</param>
    /// <param name="stall">Makes loops stand still, for tests; null otherwise.</param>
    internal ProgressWatchdog(ServiceManagerNotifier notifier, TimeSpan? interval, TimeProvider time, ILogger<ProgressWatchdog> logger, LoopStall? stall = null)
    {
        if (interval is { } wanted && wanted <= TimeSpan.FromSeconds(1))
            throw new ArgumentException($"WATCHDOG_USEC asks for a sign of life every {wanted.TotalSeconds} s; use WatchdogSec of more than 1 s", nameof(interval));
        this.notifier = notifier;
        this.interval = interval;
        this.time = time;
        this.logger = logger;
        this.stall = stall;
        if (stall is not null)
            LogStallable(LoopStall.Variable);
    }

    /// <summary>Half of what systemd wants, at most 15 s.</summary>
    internal TimeSpan Period => interval is { } wanted && wanted / 2 < TimeSpan.FromSeconds(15) ? wanted / 2 : TimeSpan.FromSeconds(15);

    /// <summary>Adds a loop. Its time runs from now on.</summary>
    /// <param name="name">What the log calls it.</param>
    /// <param name="limit">The longest time without progress.</param>
    /// <param name="idle">True while the loop waits for work: that counts as progress. Null for loops that beat by themselves.</param>
    internal LoopProgress Register(string name, TimeSpan limit, Func<bool>? idle = null)
    {
        LoopProgress loop = new(name, stall?.LimitOf(name) ?? limit, idle, time, Remove, stall);
        lock (gate)
            loops.Add(loop);
        return loop;
    }

    /// <summary>Starts the thread.</summary>
    internal void Start()
    {
        thread = new Thread(Run) { Name = "watchdog", IsBackground = true };
        thread.Start();
    }

    /// <summary>One round: names loops that got stuck or moved on, and feeds the watchdog when none is stuck.</summary>
    /// <returns>Whether every loop made progress.</returns>
    internal bool Check()
    {
        LoopProgress[] all;
        lock (gate)
            all = [.. loops];
        bool healthy = true;
        foreach (LoopProgress loop in all)
        {
            (bool stuck, bool changed, TimeSpan since) = loop.Observe();
            healthy &= !stuck;
            if (changed && stuck)
                LogStuck(loop.Name, since.TotalSeconds, loop.Limit.TotalSeconds, loop.Failure ?? "none");
            else if (changed)
                LogMovedOn(loop.Name);
        }
        if (healthy && interval is not null && !notifier.Alive() && !notifier.Alive())
            LogNotTold();
        return healthy;
    }

    public void Dispose()
    {
        end.Set();
        thread?.Join();
        end.Dispose();
    }

    private void Run()
    {
        do
            Check();
        while (!end.Wait(Period));
    }

    private void Remove(LoopProgress loop)
    {
        lock (gate)
            loops.Remove(loop);
    }

    [LoggerMessage(1001, LogLevel.Error, "Loop {Loop} has made no progress for {Seconds:F0} s, its limit is {Limit:F0} s; the watchdog is not fed until it moves on (failure while asking it: {Failure})")]
    private partial void LogStuck(string loop, double seconds, double limit, string failure);

    [LoggerMessage(1002, LogLevel.Warning, "Loop {Loop} makes progress again")]
    private partial void LogMovedOn(string loop);

    [LoggerMessage(1004, LogLevel.Warning, "{Variable} is set: loops can be made to stand still; unset it, it is for tests only")]
    private partial void LogStallable(string variable);

    [LoggerMessage(1003, LogLevel.Warning, "systemd's notification socket took no sign of life; the unit needs NotifyAccess=main or all")]
    private partial void LogNotTold();
}
