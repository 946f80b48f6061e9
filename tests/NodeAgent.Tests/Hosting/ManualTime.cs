using Microsoft.Extensions.Logging;

namespace NodeAgent.NodeAgent.Tests.Hosting;

/// <summary>A clock that moves only by hand; timers are the system's.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long ticks = TimeSpan.TicksPerDay;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref ticks);

    public override DateTimeOffset GetUtcNow() => new(new DateTime(2026, 11, 21, 5, 6, 7, DateTimeKind.Utc).AddTicks(Volatile.Read(ref ticks) - TimeSpan.TicksPerDay));

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    // Every wait is over at once, and the clock has moved by it.
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero)
        {
            Waits.Add(dueTime);
            Advance(dueTime);
        }
        return base.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    internal List<TimeSpan> Waits { get; } = [];

    internal void Advance(TimeSpan by) => Interlocked.Add(ref ticks, by.Ticks);
}

/// <summary>Keeps the lines.</summary>
internal sealed class RecordingLogger<T> : ILogger<T>
{
    internal List<string> Lines { get; } = [];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Add($"{logLevel}: {formatter(state, exception)}");
}
