using NodeAgent.Hosting;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class FaceSupervisorTests
{
    private readonly ManualTime time = new();
    private readonly RecordingLogger<FaceSupervisor> log = new();

    [Fact]
    public async Task A_half_that_fails_is_made_anew_after_growing_waits()
    {
        using CancellationTokenSource stop = new();
        int made = 0;
        FaceSupervisor supervisor = new("proxy", () => ++made == 9 ? new Face(_ => { stop.Cancel(); return 0; }) : throw new InvalidOperationException("no"), time, log);
        await supervisor.RunAsync(stop.Token);
        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60], time.Waits.Select(w => (int)w.TotalSeconds));
        Assert.Equal(9, made);
    }

    [Fact]
    public async Task After_five_minutes_of_running_the_waits_start_over()
    {
        using CancellationTokenSource stop = new();
        int made = 0;
        Face Make() => ++made switch
        {
            4 => new Face(_ => { time.Advance(TimeSpan.FromMinutes(5)); return 1; }),
            5 => new Face(_ => { stop.Cancel(); return 0; }),
            _ => new Face(_ => 1),
        };
        await new FaceSupervisor("kubelet", Make, time, log).RunAsync(stop.Token);
        Assert.Equal([1, 2, 4, 1], time.Waits.Select(w => (int)w.TotalSeconds));
    }

    [Fact]
    public async Task One_half_fails_while_the_other_runs_on()
    {
        using CancellationTokenSource stop = new();
        TaskCompletionSource failures = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int proxies = 0, kubelets = 0;
        Task kubelet = new FaceSupervisor("kubelet", () => { kubelets++; return new Waiting(); }, TimeProvider.System, log).RunAsync(stop.Token);
        Task proxy = new FaceSupervisor("proxy", () =>
        {
            if (++proxies == 3)
                failures.SetResult();
            throw new InvalidOperationException("no");
        }, time, log).RunAsync(stop.Token);
        await failures.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(kubelet.IsCompleted);
        await stop.CancelAsync();
        await Task.WhenAll(kubelet, proxy).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(1, kubelets);
    }

    private sealed class Face(Func<CancellationToken, int> run) : IAgentFace
    {
        public Task<int> RunAsync(CancellationToken cancellationToken) => Task.FromResult(run(cancellationToken));
    }

    private sealed class Waiting : IAgentFace
    {
        public async Task<int> RunAsync(CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return 0;
        }
    }
}
