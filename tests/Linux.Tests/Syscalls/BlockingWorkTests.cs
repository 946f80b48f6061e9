using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Linux.Tests.Syscalls;

public sealed class BlockingWorkTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Calls_with_one_key_run_one_after_the_other_in_order()
    {
        using var work = new BlockingWork();
        List<int> order = [];
        int inside = 0;
        Task[] calls = [.. Enumerable.Range(0, 50).Select(i => work.RunAsync("k", () =>
        {
            Assert.Equal(1, Interlocked.Increment(ref inside));
            order.Add(i);
            Interlocked.Decrement(ref inside);
        }, default))];
        await Task.WhenAll(calls).WaitAsync(Patience);
        Assert.Equal(Enumerable.Range(0, 50), order);
        Assert.False(work.IsBusy("k"));
    }

    [Fact]
    public async Task A_call_that_hangs_holds_up_only_its_own_key_and_takes_one_thread()
    {
        using var work = new BlockingWork();
        using var frozen = new ManualResetEventSlim();
        using var began = new ManualResetEventSlim();
        Task hanging = work.RunAsync("frozen", () => { began.Set(); frozen.Wait(); }, default);
        Assert.True(began.Wait(Patience));
        Task[] behind = [.. Enumerable.Range(0, 20).Select(_ => work.RunAsync("frozen", () => { }, default))];
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => work.RunAsync($"other{i}", () => i, default))).WaitAsync(Patience);
        Assert.All(behind, t => Assert.False(t.IsCompleted));
        Assert.InRange(work.ThreadCount, 1, 16);
        frozen.Set();
        await Task.WhenAll([hanging, .. behind]).WaitAsync(Patience);
    }

    [Fact]
    public async Task Hanging_calls_stop_counting_so_that_others_get_threads()
    {
        var time = new FakeTimeProvider();
        using var work = new BlockingWork(new BlockingWorkOptions { MaximumThreads = 2, HangsAfter = TimeSpan.FromSeconds(10) }, time);
        using var frozen = new ManualResetEventSlim();
        using var began = new CountdownEvent(2);
        Task[] hanging = [.. new[] { "a", "b" }.Select(k => work.RunAsync(k, () => { began.Signal(); frozen.Wait(); }, default))];
        Assert.True(began.Wait(Patience));
        Task third = work.RunAsync("c", () => { }, default);
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(third.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        await third.WaitAsync(Patience);
        frozen.Set();
        await Task.WhenAll(hanging).WaitAsync(Patience);
    }

    [Fact]
    public async Task Cancelling_ends_the_wait_and_withdraws_what_had_not_begun()
    {
        using var work = new BlockingWork();
        using var frozen = new ManualResetEventSlim();
        using var began = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        Task first = work.RunAsync("k", () => { began.Set(); frozen.Wait(); }, cancel.Token);
        Assert.True(began.Wait(Patience));
        bool ran = false;
        Task second = work.RunAsync("k", () => ran = true, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Task third = work.RunAsync("k", () => { }, default);
        Assert.False(third.IsCompleted);
        frozen.Set();
        await third.WaitAsync(Patience);
        Assert.False(ran);
    }

    [Fact]
    public async Task Who_goes_on_after_a_call_holds_up_neither_its_key_nor_the_count_of_what_hangs()
    {
        var time = new FakeTimeProvider();
        using var work = new BlockingWork(new BlockingWorkOptions { MaximumThreads = 2 }, time);
        using var goesOn = new ManualResetEventSlim();
        using var mayEnd = new ManualResetEventSlim();
        using var called = new ManualResetEventSlim();
        Task first = work.RunAsync("k", called.Wait, default);
        Task behind = first.ContinueWith(_ => { goesOn.Set(); mayEnd.Wait(); }, default, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        called.Set();
        Assert.True(goesOn.Wait(Patience));
        Assert.False(work.IsBusy("k"));
        Assert.Equal(2, await work.RunAsync("k", () => 2, default).WaitAsync(Patience));
        mayEnd.Set();
        await behind.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_call_that_gives_up_by_itself_is_not_taken_for_a_silent_kernel()
    {
        using var work = new BlockingWork();
        TimeoutException its = new("mine");
        Assert.Same(its, await Assert.ThrowsAsync<TimeoutException>(() => work.RunWithinAsync("k", TimeSpan.FromSeconds(120), int () => throw its, default)));
    }

    [Fact]
    public async Task An_exception_of_the_call_is_the_callers_and_the_next_call_runs()
    {
        using var work = new BlockingWork();
        await Assert.ThrowsAsync<InvalidOperationException>(() => work.RunAsync("k", () => throw new InvalidOperationException(), default));
        Assert.Equal(7, await work.RunAsync("k", () => 7, default).WaitAsync(Patience));
    }

    [Fact]
    public async Task Who_waits_for_a_silent_kernel_hears_what_is_silent_and_the_key_is_free_again_when_it_answers()
    {
        var time = new FakeTimeProvider();
        using var work = new BlockingWork(new BlockingWorkOptions(), time);
        using var frozen = new ManualResetEventSlim();
        using var began = new ManualResetEventSlim();
        Task silent = work.RunWithinAsync("/mnt/dead", TimeSpan.FromSeconds(120), () => { began.Set(); frozen.Wait(); }, default);
        Assert.True(began.Wait(Patience));
        time.Advance(TimeSpan.FromSeconds(121));
        KernelSilentException told = await Assert.ThrowsAsync<KernelSilentException>(() => silent.WaitAsync(Patience));
        Assert.Contains("/mnt/dead", told.Message, StringComparison.Ordinal);
        Assert.Contains("120 s", told.Message, StringComparison.Ordinal);
        frozen.Set();
        Assert.Equal(1, await work.RunWithinAsync("/mnt/dead", TimeSpan.FromSeconds(120), () => 1, default).WaitAsync(Patience));
    }
}
