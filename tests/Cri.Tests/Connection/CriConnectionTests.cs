using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;

namespace NodeAgent.Cri.Tests.Connection;

public sealed class CriConnectionTests
{
    [Fact]
    public async Task A_call_that_changes_something_is_seen_to_its_end_though_its_caller_cancels()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        string id = await f.CreateContainerAsync(await f.RunSandboxAsync());
        f.Fake.Behaviour.On("StartContainer", Reaction.Late(TimeSpan.FromMilliseconds(300)));
        using var cancelled = new CancellationTokenSource();
        Task start = f.Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, cancelled.Token);
        await f.Fake.WaitForCallAsync("StartContainer", 1, default);
        await cancelled.CancelAsync();
        await start;
        Assert.Equal(ContainerState.ContainerRunning, (await f.StatusAsync(id)).State);
    }

    [Fact]
    public async Task A_call_that_changes_something_is_not_sent_once_its_caller_has_cancelled()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            f.Runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = "x" }, new CancellationToken(canceled: true)));
        Assert.Empty(f.Fake.Calls);
    }

    [Fact]
    public async Task A_call_that_only_reads_ends_when_its_caller_cancels()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        f.Fake.Behaviour.On("ListContainers", Reaction.Never);
        using var cancelled = new CancellationTokenSource();
        Task list = f.Runtime.ListContainersAsync(new ListContainersRequest(), cancelled.Token);
        await f.Fake.WaitForCallAsync("ListContainers", 1, default);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => list);
    }

    [Fact]
    public async Task A_runtime_that_hangs_ends_the_call_by_its_limit()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync(limit: TimeSpan.FromMilliseconds(200));
        f.Fake.Behaviour.On("StopPodSandbox", Reaction.Never);
        CriException e = await Assert.ThrowsAsync<CriException>(() => f.Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = "x" }, default));
        Assert.Equal((CriErrorKind.DeadlineExceeded, "StopPodSandbox"), (e.Kind, e.Rpc));
        Assert.Contains(("stop_podsandbox", CriErrorKind.DeadlineExceeded), f.Operations);
    }

    [Fact]
    public async Task Loss_and_return_of_the_runtime_are_one_line_each()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        await f.Connection.NegotiateAsync(default);
        Assert.Empty(f.Lines);
        await f.Fake.StopAsync();
        for (int i = 0; i < 5; i++)
        {
            CriException e = await Assert.ThrowsAsync<CriException>(() => f.Connection.NegotiateAsync(default));
            Assert.Equal(CriErrorKind.Unavailable, e.Kind);
            Assert.Contains("--container-runtime-endpoint", e.Message, StringComparison.Ordinal);
        }
        Assert.False(f.Connection.IsReachable);
        f.Fake.StartAgain();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!f.Connection.IsReachable)
        {
            limit.Token.ThrowIfCancellationRequested();
            try
            {
                await f.Connection.NegotiateAsync(default);
            }
            catch (CriException)
            {
                await Task.Yield();
            }
        }
        Assert.Equal(2, f.Lines.Count);
        Assert.StartsWith("Warning: Container runtime at unix://" + f.SocketPath, f.Lines[0], StringComparison.Ordinal);
        Assert.EndsWith("answers again", f.Lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_without_CRI_v1_is_named_with_the_remedy()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("gcri");
        try
        {
            string path = Path.Combine(folder.FullName, "s");
            await using var server = new Grpc.Server.GrpcServer();
            server.Start(path);
            using var connection = new CriConnection(CriEndpoint.Parse(path), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);
            CriException e = await Assert.ThrowsAsync<CriException>(() => connection.NegotiateAsync(default));
            Assert.Equal(CriErrorKind.Unimplemented, e.Kind);
            Assert.Contains("does not serve CRI v1", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("unix:///run/containerd/containerd.sock", "/run/containerd/containerd.sock")]
    [InlineData("unix:/run/a.sock", "/run/a.sock")]
    [InlineData("/run/a.sock", "/run/a.sock")]
    public void Endpoints_are_URLs_or_bare_paths(string text, string path) => Assert.Equal(path, CriEndpoint.Parse(text).Path);

    [Theory]
    [InlineData("")]
    [InlineData("tcp://127.0.0.1:1")]
    [InlineData("npipe:////./pipe/x")]
    [InlineData("unix://run/a.sock")]
    [InlineData("run/a.sock")]
    [InlineData("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_wrong_endpoint_is_named_with_its_flag_and_the_remedy(string text)
    {
        FormatException e = Assert.Throws<FormatException>(() => CriEndpoint.Parse(text, "--image-service-endpoint"));
        Assert.Contains("--image-service-endpoint", e.Message, StringComparison.Ordinal);
        Assert.Contains("unix:///run/containerd/containerd.sock", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Limits_follow_upstream()
    {
        CriTimeLimits limits = CriTimeLimits.Default;
        Assert.Equal(TimeSpan.FromMinutes(4), limits.RunPodSandbox);
        Assert.Equal(TimeSpan.FromSeconds(150), limits.StopContainer(new StopContainerRequest { Timeout = 30 }));
        Assert.Equal(TimeSpan.FromSeconds(121), limits.ExecSync(new ExecSyncRequest { Timeout = 1 }));
        Assert.Null(limits.ExecSync(new ExecSyncRequest()));
        Assert.True(limits.StopContainer(new StopContainerRequest { Timeout = long.MaxValue }) > TimeSpan.FromDays(39));
        Assert.Equal(TimeSpan.FromMinutes(2), limits.StopContainer(new StopContainerRequest { Timeout = -5 }));
    }
}
