using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class DeadContainerPrunerTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    // A pod whose only container has ended so many times; the last end was not followed by a start.
    private static async Task<(RuntimeManagerFixture Fixture, RuntimePodStatus Status)> EndedAsync(int ends)
    {
        RuntimeManagerFixture f = await RuntimeManagerFixture.StartAsync();
        Pod pod = RuntimeManagerFixture.Pod();
        await f.PassAsync(pod);
        for (int end = 1; end <= ends; end++)
        {
            f.Fake.ExitContainer(f.Fake.Containers.Single(c => c.Status.State == ContainerState.ContainerRunning).Status.Id, 1);
            if (end < ends) await f.PassAsync(pod);
        }

        return (f, await f.Manager.GetPodStatusAsync(pod.Ref, default));
    }

    private static DeadContainerPruner Pruner(RuntimeManagerFixture f, RuntimePodStatus status, int kept, bool evicted)
    {
        var policy = new DeadContainerPolicy(kept, -1, TimeSpan.FromHours(1));
        var collector = new ContainerGarbageCollector(f.Runtime, f.Paths, f.Work, policy, TimeProvider.System, NullLogger<ContainerGarbageCollector>.Instance);
        return new DeadContainerPruner(collector, policy, uid => uid == status.Pod.Uid ? status : null, _ => evicted);
    }

    // Until the runtime has been asked to remove so many, and nothing asked for before is left undone.
    private static async Task RunAsync(RuntimeManagerFixture f, DeadContainerPruner pruner, int left)
    {
        using CancellationTokenSource end = new(Limit);
        Task running = pruner.RunAsync(end.Token);
        while (f.Fake.Containers.Length + f.Fake.Sandboxes.Length > left)
        {
            await Task.Delay(10, end.Token);
        }

        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task An_earlier_attempt_goes_when_a_later_one_has_ended_too(int kept)
    {
        (RuntimeManagerFixture f, RuntimePodStatus status) = await EndedAsync(2);
        await using RuntimeManagerFixture _ = f;
        DeadContainerPruner pruner = Pruner(f, status, kept, evicted: false);
        Assert.True(pruner.Look(status.Pod.Uid));
        await RunAsync(f, pruner, left: 2);
        Assert.Equal(1u, Assert.Single(f.Fake.Containers).Status.Metadata.Attempt);
        Assert.Single(f.Fake.Sandboxes);
        Assert.False(File.Exists(Path.Combine(f.Paths.PodLogFolder(status.Pod), "main", "0.log")));
    }

    [Fact]
    public async Task Of_an_evicted_pod_that_has_ended_nothing_stays()
    {
        (RuntimeManagerFixture f, RuntimePodStatus status) = await EndedAsync(1);
        await using RuntimeManagerFixture _ = f;
        await f.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = f.Fake.Sandboxes.Single().Status.Id }, default);
        status = await f.Manager.GetPodStatusAsync(status.Pod, default);
        DeadContainerPruner pruner = Pruner(f, status, kept: 1, evicted: true);
        Assert.True(pruner.Look(status.Pod.Uid));
        await RunAsync(f, pruner, left: 0);
        Assert.Empty(f.Fake.Containers);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(2, -1)]
    public async Task What_may_stay_is_not_asked_for(int ends, int kept)
    {
        (RuntimeManagerFixture f, RuntimePodStatus status) = await EndedAsync(ends);
        await using RuntimeManagerFixture _ = f;
        DeadContainerPruner pruner = Pruner(f, status, kept, evicted: false);
        Assert.False(pruner.Look(status.Pod.Uid));
    }
}
