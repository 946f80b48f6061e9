using System.Threading.Channels;
using NodeAgent.Testing;

namespace NodeAgent.Proxy.Tests;

public sealed class BoundedFrequencyRunnerTests
{
    [Fact]
    public async Task Failures_are_tried_again_ever_later_up_to_the_retry_interval_and_soon_again_after_a_success()
    {
        FakeTimeProvider time = new();
        Channel<DateTimeOffset> runs = Channel.CreateUnbounded<DateTimeOffset>();
        int count = 0;
        BoundedFrequencyRunner runner = new(_ =>
        {
            runs.Writer.TryWrite(time.GetUtcNow());
            return Task.FromResult(++count is 6);
        }, TimeSpan.Zero, TimeSpan.FromSeconds(10), TimeSpan.FromHours(1), time);
        using CancellationTokenSource stop = new();
        Task loop = runner.LoopAsync(stop.Token);
        runner.Run();
        DateTimeOffset last = await runs.Reader.ReadAsync();
        List<double> waits = [];
        while (waits.Count < 5)
        {
            last = await NextAsync(runs.Reader, time, last, waits);
        }

        Assert.Equal([1, 2, 4, 8, 10], waits);
        // The sixth succeeded: the next runs only when it is asked for, and its failure is soon made up for.
        runner.Run();
        last = await runs.Reader.ReadAsync();
        waits.Clear();
        await NextAsync(runs.Reader, time, last, waits);
        Assert.Equal([1], waits);
        await stop.CancelAsync();
        await loop;
    }

    [Fact]
    public async Task What_cannot_wait_runs_before_the_minimum_interval_has_passed_and_half_a_second_apart()
    {
        FakeTimeProvider time = new();
        Channel<DateTimeOffset> runs = Channel.CreateUnbounded<DateTimeOffset>();
        BoundedFrequencyRunner runner = new(_ =>
        {
            runs.Writer.TryWrite(time.GetUtcNow());
            return Task.FromResult(true);
        }, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10), TimeSpan.FromHours(1), time);
        using CancellationTokenSource stop = new();
        Task loop = runner.LoopAsync(stop.Token);
        runner.Run();
        DateTimeOffset first = await runs.Reader.ReadAsync();
        runner.RunAtOnce();
        // No time passes: it comes by its urgency alone.
        Assert.Equal(first, await runs.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
        // Twice more in a row; then one that can wait.
        List<double> waits = [];
        DateTimeOffset last = first;
        for (int i = 0; i < 3; i++)
        {
            (i < 2 ? (Action)runner.RunAtOnce : runner.Run)();
            last = await NextAsync(runs.Reader, time, last, waits, step: 0.25);
        }

        Assert.Equal([0.5, 0.5, 1], waits);
        await stop.CancelAsync();
        await loop;
    }

    /// <summary>Lets time pass in steps until the next run; adds the time from the last one to the waits.</summary>
    internal static async Task<DateTimeOffset> NextAsync(ChannelReader<DateTimeOffset> runs, FakeTimeProvider time, DateTimeOffset last, List<double> waits, double step = 1)
    {
        DateTimeOffset next;
        while (!runs.TryRead(out next))
        {
            // The loop sets its timer on a thread of its own: time goes on only once it waits.
            while (time.Armed == 0)
            {
                await Task.Yield();
            }

            time.Advance(TimeSpan.FromSeconds(step));
            await Task.Yield();
        }

        waits.Add((next - last).TotalSeconds);
        return next;
    }
}
