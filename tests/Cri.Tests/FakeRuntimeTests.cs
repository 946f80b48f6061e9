using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;
using NodeAgent.Grpc;

namespace NodeAgent.Cri.Tests;

/// <summary>The fake behaves as a runtime does; seen through the real client.</summary>
public sealed class FakeRuntimeTests
{
    [Fact]
    public async Task A_container_goes_from_created_over_running_to_exited_and_away()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string sandbox = await f.RunSandboxAsync();
        string id = await f.CreateContainerAsync(sandbox);
        Assert.Equal(ContainerState.ContainerCreated, (await f.StatusAsync(id)).State);
        await f.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, default);
        Assert.Equal(ContainerState.ContainerRunning, (await f.StatusAsync(id)).State);
        f.Fake.ExitContainer(id, 3);
        ContainerStatus exited = await f.StatusAsync(id);
        Assert.Equal((ContainerState.ContainerExited, 3, "Error"), (exited.State, exited.ExitCode, exited.Reason));
        Assert.True(exited.FinishedAt >= exited.StartedAt && exited.StartedAt >= exited.CreatedAt);
        await f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = id }, default);
        CriException e = await Assert.ThrowsAsync<CriException>(() => f.StatusAsync(id));
        Assert.Equal(CriErrorKind.NotFound, e.Kind);
    }

    [Fact]
    public async Task Removing_and_stopping_what_is_gone_succeeds()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        await f.Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = "x" }, default);
        await f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = "x" }, default);
        await f.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = "x" }, default);
        await f.Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = "x" }, default);
        await f.Images.RemoveImageAsync(new RemoveImageRequest { Image = new ImageSpec { Image = "x" } }, default);
    }

    [Fact]
    public async Task Stopping_a_sandbox_kills_its_containers_and_frees_nothing_else()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string one = await f.RunSandboxAsync("one"), two = await f.RunSandboxAsync("two");
        string first = await f.StartContainerAsync(one), second = await f.StartContainerAsync(two);
        await f.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = one }, default);
        Assert.Equal((ContainerState.ContainerExited, 137), ((await f.StatusAsync(first)).State, (await f.StatusAsync(first)).ExitCode));
        Assert.Equal(ContainerState.ContainerRunning, (await f.StatusAsync(second)).State);
        ListPodSandboxResponse ready = await f.Runtime.ListPodSandboxAsync(
            new ListPodSandboxRequest { Filter = new PodSandboxFilter { State = new PodSandboxStateValue { State = PodSandboxState.SandboxReady } } }, default);
        Assert.Equal(two, Assert.Single(ready.Items).Id);
    }

    [Fact]
    public async Task The_same_name_twice_and_a_missing_image_are_refused()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string sandbox = await f.RunSandboxAsync();
        await f.CreateContainerAsync(sandbox);
        Assert.Equal(CriErrorKind.AlreadyExists, (await Assert.ThrowsAsync<CriException>(() => f.CreateContainerAsync(sandbox))).Kind);
        Assert.Equal(CriErrorKind.AlreadyExists, (await Assert.ThrowsAsync<CriException>(() => f.RunSandboxAsync())).Kind);
        await f.Images.RemoveImageAsync(new RemoveImageRequest { Image = new ImageSpec { Image = "docker.io/library/web:1" } }, default);
        Assert.Equal(CriErrorKind.NotFound, (await Assert.ThrowsAsync<CriException>(() => f.CreateContainerAsync(sandbox, "other"))).Kind);
    }

    [Fact]
    public async Task A_container_that_ignores_the_signal_is_killed_after_its_grace_period()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        f.Fake.OnStop = c => c.Config.Metadata.Name == "deaf" ? new StopBehaviour(TimeSpan.FromHours(1), 0) : new StopBehaviour(TimeSpan.Zero, 143);
        string sandbox = await f.RunSandboxAsync();
        string deaf = await f.StartContainerAsync(sandbox, "deaf"), good = await f.StartContainerAsync(sandbox, "good");
        foreach (string id in (string[])[deaf, good]) await f.Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = id, Timeout = 1 }, default);
        Assert.Equal(137, (await f.StatusAsync(deaf)).ExitCode);
        Assert.Equal(143, (await f.StatusAsync(good)).ExitCode);
    }

    [Fact]
    public async Task Images_are_pulled_found_by_tag_digest_and_id_and_counted()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        PullImageResponse pulled = await f.Images.PullImageAsync(new PullImageRequest { Image = new ImageSpec { Image = "localhost:5000/a/b:2" } }, default);
        Image image = (await f.Images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = pulled.ImageRef } }, default)).Image;
        Assert.StartsWith("localhost:5000/a/b@sha256:", image.RepoDigests.Single(), StringComparison.Ordinal);
        Assert.Equal(image, (await f.Images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = image.RepoDigests[0] } }, default)).Image);
        Assert.Null((await f.Images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = "absent" } }, default)).Image);
        Assert.Equal(2u, (await f.Images.ImageFsInfoAsync(new ImageFsInfoRequest(), default)).ImageFilesystems[0].InodesUsed.Value);
    }

    [Fact]
    public async Task Scripted_errors_come_as_often_as_told_and_leave_no_trace()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string sandbox = await f.RunSandboxAsync();
        f.Fake.Behaviour.On("CreateContainer", Reaction.Fail(StatusCode.Unknown, "disk full"), times: 1);
        CriException e = await Assert.ThrowsAsync<CriException>(() => f.CreateContainerAsync(sandbox));
        Assert.Equal("disk full", e.Detail);
        Assert.Empty(f.Fake.Containers);
        await f.CreateContainerAsync(sandbox);
        Assert.Equal([StatusCode.OK, StatusCode.Unknown, StatusCode.OK], f.Fake.Calls.Select(c => c.Result!.Value));
    }

    [Fact]
    public async Task A_lost_answer_leaves_the_work_done()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        f.Fake.Behaviour.On("RunPodSandbox", Reaction.FailAfterwards(StatusCode.Unavailable, "lost"), times: 1);
        await Assert.ThrowsAsync<CriException>(() => f.RunSandboxAsync());
        Assert.Single(f.Fake.Sandboxes);
    }

    [Fact]
    public async Task Log_lines_are_in_the_CRI_format_and_follow_a_rotation()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync(new FakeRuntimeOptions { WriteLogs = true });
        string id = await f.StartContainerAsync(await f.RunSandboxAsync());
        string path = (await f.StatusAsync(id)).LogPath;
        f.Fake.WriteLog(id, "one");
        File.Move(path, path + ".old");
        await f.Runtime.ReopenContainerLogAsync(new ReopenContainerLogRequest { ContainerId = id }, default);
        f.Fake.WriteLog(id, "two", "stderr");
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout F one\n$", await File.ReadAllTextAsync(path + ".old"));
        Assert.Matches(@"Z stderr F two\n$", await File.ReadAllTextAsync(path));
    }

    [Fact]
    public async Task Exec_is_scripted_and_needs_a_running_container()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        f.Fake.OnExec = r => new ExecSyncResponse { ExitCode = r.Cmd.Count };
        string id = await f.StartContainerAsync(await f.RunSandboxAsync());
        var request = new ExecSyncRequest { ContainerId = id, Cmd = { "a", "b" } };
        Assert.Equal(2, (await f.Runtime.ExecSyncAsync(request, default)).ExitCode);
        f.Fake.ExitContainer(id, 0);
        await Assert.ThrowsAsync<CriException>(() => f.Runtime.ExecSyncAsync(request, default));
    }

    [Fact]
    public async Task List_streaming_gives_the_same_as_the_list()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        for (int i = 0; i < 20; i++) await f.CreateContainerAsync(await f.RunSandboxAsync("p" + i));
        var streamed = new List<Container>();
        await foreach (StreamContainersResponse part in f.Runtime.StreamContainers(new StreamContainersRequest(), default)) streamed.AddRange(part.Containers);
        ListContainersResponse listed = await f.Runtime.ListContainersAsync(new ListContainersRequest(), default);
        Assert.Equal(20, listed.Containers.Count);
        Assert.Equal(listed.Containers.Select(c => c.Id).Order(), streamed.Select(c => c.Id).Order());
    }
}
