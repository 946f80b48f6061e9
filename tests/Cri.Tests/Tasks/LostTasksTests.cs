using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;

namespace NodeAgent.Cri.Tests.Tasks;

public sealed class LostTasksTests
{
    [Fact]
    public async Task A_container_whose_task_the_runtime_lost_is_removed_all_the_same()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string id = await f.CreateContainerAsync(await f.RunSandboxAsync());
        f.Fake.LoseTask(id);
        await f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, default);
        Assert.Empty(f.Fake.Containers);
        Assert.Equal(["RemoveContainer", "Kill", "Wait", "Delete", "RemoveContainer"], f.Fake.Calls.Skip(2).Select(c => c.Method));
        Assert.Contains(f.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains(id, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_sandbox_with_several_lost_tasks_is_removed_and_its_neighbour_is_not_touched()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string sandbox = await f.RunSandboxAsync(), other = await f.RunSandboxAsync("other");
        foreach (string name in (string[])["one", "two", "three"]) f.Fake.LoseTask(await f.CreateContainerAsync(sandbox, name));
        string neighbour = await f.StartContainerAsync(other);
        await f.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = sandbox }, default);
        Assert.Equal(other, Assert.Single(f.Fake.Sandboxes).Status.Id);
        Assert.Equal(ContainerState.ContainerRunning, (await f.StatusAsync(neighbour)).State);
    }

    [Fact]
    public async Task A_task_that_cannot_be_deleted_gives_the_refusal_and_the_remedy()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string id = await f.CreateContainerAsync(await f.RunSandboxAsync());
        f.Fake.LoseTask(id);
        f.Fake.Behaviour.On("Delete", Reaction.Fail(StatusCode.Unknown, "shim is stuck"));
        CriException e = await Assert.ThrowsAsync<CriException>(() => f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, default));
        Assert.Contains("cannot delete running task", e.Message, StringComparison.Ordinal);
        Assert.Contains(f.Lines, line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains("shim is stuck", StringComparison.Ordinal) && line.Contains("restart containerd", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_task_that_stays_although_it_was_deleted_is_not_tried_for_ever()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string id = await f.CreateContainerAsync(await f.RunSandboxAsync());
        f.Fake.Behaviour.On("RemoveContainer", Reaction.Fail(StatusCode.FailedPrecondition, $"cannot delete running task {id}: failed precondition"));
        await Assert.ThrowsAsync<CriException>(() => f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, default));
        Assert.Equal(2, f.Fake.Calls.Count(c => c.Method == "RemoveContainer"));
    }

    [Fact]
    public async Task Another_refusal_touches_no_task()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string id = await f.CreateContainerAsync(await f.RunSandboxAsync());
        f.Fake.Behaviour.On("RemoveContainer", Reaction.Fail(StatusCode.FailedPrecondition, $"container {id} is in removing state"));
        await Assert.ThrowsAsync<CriException>(() => f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, default));
        Assert.DoesNotContain(f.Fake.Calls, c => c.Method is "Kill" or "Wait" or "Delete");
    }

    [Fact]
    public async Task A_refusal_that_names_the_task_of_another_pod_ends_nothing()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string sandbox = await f.RunSandboxAsync(), own = await f.CreateContainerAsync(sandbox);
        string other = await f.StartContainerAsync(await f.RunSandboxAsync("other"));
        // As a pod could have it with a path of its own choice.
        Reaction quoting = Reaction.Fail(StatusCode.FailedPrecondition, $"failed to unmount /volumes/cannot delete running task {other}: busy");
        f.Fake.Behaviour.On("RemoveContainer", quoting).On("RemovePodSandbox", quoting);
        await Assert.ThrowsAsync<CriException>(() => f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = own }, default));
        await Assert.ThrowsAsync<CriException>(() => f.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = sandbox }, default));
        Assert.DoesNotContain(f.Fake.Calls, c => c.Method is "Kill" or "Wait" or "Delete");
    }
}
