using NodeAgent.Hosting;
using NodeAgent.Testing;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class ProxyHalfTests
{
    private readonly FakeTimeProvider time = new();
    private readonly RecordingLogger<ProxyHalf> log = new();
    private readonly List<bool> asked = [];
    private string? other;
    private int started;
    private int ended;

    [Fact]
    public async Task It_gives_way_to_another_proxy_that_comes_later_and_returns_when_that_is_gone()
    {
        using CancellationTokenSource stop = new();
        Task run = new ProxyHalf(Find, RunAsync, time, log).RunAsync(stop.Token);
        await SeenAsync(1);
        Assert.Equal((1, 0), (started, ended));
        other = "process 7 is a kube-proxy";
        time.Advance(TimeSpan.FromMinutes(1));
        await SeenAsync(2);
        Assert.Equal((1, 1), (started, ended));
        time.Advance(TimeSpan.FromMinutes(1));
        await SeenAsync(3);
        other = null;
        time.Advance(TimeSpan.FromMinutes(1));
        await SeenAsync(4);
        Assert.Equal((2, 1), (started, ended));
        await stop.CancelAsync();
        await run.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal((2, 2), (started, ended));
        // Its own health port must not count as another proxy's.
        Assert.Equal([false, true, false, false], asked);
        Assert.Equal(2, log.Lines.Count);
    }

    [Fact]
    public async Task It_stays_off_while_another_runs()
    {
        other = "port 10256, a kube-proxy's health port, is in use";
        using CancellationTokenSource stop = new();
        Task run = new ProxyHalf(Find, RunAsync, time, log).RunAsync(stop.Token);
        await SeenAsync(1);
        await stop.CancelAsync();
        await run.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, started);
        Assert.Contains("10256", Assert.Single(log.Lines), StringComparison.Ordinal);
    }

    private string? Find(bool ownRuns)
    {
        asked.Add(ownRuns);
        return other;
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        started++;
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ended++;
    }

    // It has looked so often and waits for the next minute.
    private async Task SeenAsync(int looks)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (asked.Count < looks || time.Armed == 0)
        {
            await Task.Yield();
            limit.Token.ThrowIfCancellationRequested();
        }
    }
}
