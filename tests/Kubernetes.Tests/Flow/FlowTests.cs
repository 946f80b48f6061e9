using NodeAgent.Kubernetes.Flow;
using NodeAgent.Testing;

namespace NodeAgent.Kubernetes.Tests.Flow;

public sealed class FlowTests
{
    [Fact]
    public async Task A_key_being_handled_is_not_given_out_twice_and_comes_again_if_added_meanwhile()
    {
        using WorkQueue<string> queue = new(new FakeTimeProvider());
        queue.Add("a");
        queue.Add("a");
        Assert.Equal("a", await queue.TakeAsync(CancellationToken.None));
        queue.Add("a");
        Assert.Equal(0, queue.Count);
        queue.Add("b");
        Assert.Equal("b", await queue.TakeAsync(CancellationToken.None));
        queue.Done("a");
        Assert.Equal("a", await queue.TakeAsync(CancellationToken.None));
        queue.Done("a");
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public void Delayed_keys_come_in_their_time_on_one_timer()
    {
        FakeTimeProvider time = new();
        using WorkQueue<string> queue = new(time);
        queue.AddAfter("late", TimeSpan.FromSeconds(10));
        queue.AddAfter("soon", TimeSpan.FromSeconds(5));
        queue.AddAfter("late", TimeSpan.FromSeconds(20));
        Assert.Equal(1, time.Armed);
        time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(0, queue.Count);
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(1, queue.Count);
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(2, queue.Count);
        Assert.Equal(0, time.Armed);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(2, queue.Count);
    }

    [Fact]
    public async Task Closing_ends_the_wait()
    {
        WorkQueue<string> queue = new(new FakeTimeProvider());
        ValueTask<string> take = queue.TakeAsync(CancellationToken.None);
        queue.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await take);
    }

    [Fact]
    public void Back_off_doubles_to_its_maximum_and_starts_anew_after_twice_that()
    {
        FakeTimeProvider time = new();
        Backoff<string> backoff = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), time);
        Assert.Equal([10, 20, 30, 30], Enumerable.Range(0, 4).Select(_ => backoff.Next("a").TotalSeconds));
        Assert.True(backoff.IsInBackoffSinceUpdate("a", time.GetUtcNow().AddSeconds(29)));
        Assert.False(backoff.IsInBackoffSinceUpdate("a", time.GetUtcNow().AddSeconds(30)));
        DateTimeOffset ended = time.GetUtcNow();
        time.Advance(TimeSpan.FromSeconds(29));
        Assert.True(backoff.IsInBackoffSince("a", ended));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(backoff.IsInBackoffSince("a", ended));
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(30, backoff.Next("a").TotalSeconds);
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(10, backoff.Next("a").TotalSeconds);
        time.Advance(TimeSpan.FromSeconds(61));
        backoff.CollectGarbage();
        Assert.Equal(0, backoff.Get("a").TotalSeconds);
    }

    [Fact]
    public async Task A_rate_limiter_gives_the_burst_and_then_its_rate_in_order()
    {
        FakeTimeProvider time = new();
        RateLimiter limiter = new(2, 3, time);
        for (int i = 0; i < 3; i++)
            Assert.True(limiter.AcceptAsync(CancellationToken.None).AsTask().IsCompleted);
        Assert.False(limiter.TryAccept());
        Task first = limiter.AcceptAsync(CancellationToken.None).AsTask(), second = limiter.AcceptAsync(CancellationToken.None).AsTask();
        time.Advance(TimeSpan.FromSeconds(0.51));
        await first.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(second.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.5));
        await second.WaitAsync(TimeSpan.FromSeconds(10));
    }
}
