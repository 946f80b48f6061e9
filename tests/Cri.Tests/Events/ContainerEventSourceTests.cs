using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri.Events;
using NodeAgent.FakeCriRuntime;

namespace NodeAgent.Cri.Tests.Events;

public sealed class ContainerEventSourceTests
{
    [Theory]
    [InlineData(FakeEvents.Cri)]
    [InlineData(FakeEvents.Containerd)]
    public async Task A_containers_life_is_told_after_the_notice_of_connection(FakeEvents kind)
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync(new FakeRuntimeOptions { Events = kind });
        await using IAsyncEnumerator<CriEvent> events = Watch(f);
        await Subscribed(f, events);
        string sandbox = await f.RunSandboxAsync();
        string id = await f.StartContainerAsync(sandbox);
        f.Fake.ExitContainer(id, 1);
        CriEvent e;
        while ((e = await Next(events)).Kind != CriEventKind.Stopped) Assert.Contains(e.Id, (string[])[sandbox, id, ""]);
        Assert.Equal(id, e.Id);
        if (kind == FakeEvents.Cri) Assert.Equal((sandbox, "web-uid"), (e.SandboxId, e.PodUid));
        Assert.InRange(e.Time, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddMinutes(1));
    }

    [Fact]
    public async Task Every_return_of_the_runtime_is_a_connection_anew()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync();
        await using IAsyncEnumerator<CriEvent> events = Watch(f);
        Assert.Equal(CriEventKind.Connected, (await Next(events)).Kind);
        await f.Fake.StopAsync();
        Assert.Equal(CriEventKind.Disconnected, (await Next(events)).Kind);
        f.Fake.StartAgain();
        CriEvent e;
        while ((e = await Next(events)).Kind == CriEventKind.Disconnected)
        {
        }
        Assert.Equal(CriEventKind.Connected, e.Kind);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (f.Fake.EventSubscribers == 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
        string sandbox = await f.RunSandboxAsync();
        Assert.Equal(sandbox, (await Next(events)).Id);
    }

    [Fact]
    public async Task A_runtime_without_events_is_told_once_and_the_watch_ends()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync(new FakeRuntimeOptions { Events = FakeEvents.None });
        await using IAsyncEnumerator<CriEvent> events = Watch(f);
        CriEvent e;
        while ((e = await Next(events)).Kind != CriEventKind.Unsupported) Assert.Contains(e.Kind, (CriEventKind[])[CriEventKind.Connected, CriEventKind.Disconnected]);
        Assert.False(await events.MoveNextAsync());
    }

    [Fact]
    public async Task An_out_of_memory_kill_is_told_by_containerd()
    {
        await using RuntimeFixture f = await RuntimeFixture.StartAsync(new FakeRuntimeOptions { Events = FakeEvents.Containerd });
        await using IAsyncEnumerator<CriEvent> events = Watch(f);
        await Subscribed(f, events);
        string id = await f.StartContainerAsync(await f.RunSandboxAsync());
        f.Fake.OomKillContainer(id);
        CriEvent e;
        while ((e = await Next(events)).Kind != CriEventKind.OutOfMemory) Assert.NotEqual(CriEventKind.Stopped, e.Kind);
        Assert.Equal(id, e.Id);
    }

    [Fact]
    public void The_end_of_an_exec_session_is_not_the_end_of_its_container()
    {
        var exit = new Containerd.V1.TaskExit { ContainerId = "c", Id = "exec-1" };
        var envelope = new Containerd.V1.Envelope
        {
            Namespace = "k8s.io",
            Topic = "/tasks/exit",
            Event = new Google.Protobuf.WellKnownTypes.Any { Value = Google.Protobuf.MessageExtensions.ToByteString(exit) },
        };
        Assert.Null(EventMapping.From(envelope));
        envelope.Event.Value = Google.Protobuf.MessageExtensions.ToByteString(new Containerd.V1.TaskExit { ContainerId = "c", Id = "c" });
        Assert.Equal("c", EventMapping.From(envelope)!.Id);
        envelope.Namespace = "moby";
        Assert.Null(EventMapping.From(envelope));
    }

    [Fact]
    public void That_a_task_is_deleted_says_that_its_container_does_not_run_and_no_more()
    {
        var envelope = new Containerd.V1.Envelope
        {
            Namespace = "k8s.io",
            Topic = "/tasks/delete",
            Event = new Google.Protobuf.WellKnownTypes.Any { Value = Google.Protobuf.MessageExtensions.ToByteString(new Containerd.V1.TaskNotice { ContainerId = "c" }) },
        };
        Assert.Equal((CriEventKind.Stopped, "c"), (EventMapping.From(envelope)!.Kind, EventMapping.From(envelope)!.Id));
    }

    private static IAsyncEnumerator<CriEvent> Watch(RuntimeFixture f) =>
        new ContainerEventSource(f.Connection, TimeProvider.System, NullLogger<ContainerEventSource>.Instance).WatchAsync(default).GetAsyncEnumerator();

    private static async Task Subscribed(RuntimeFixture f, IAsyncEnumerator<CriEvent> events)
    {
        Assert.Equal(CriEventKind.Connected, (await Next(events)).Kind);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (f.Fake.EventSubscribers == 0)
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private static async Task<CriEvent> Next(IAsyncEnumerator<CriEvent> events)
    {
        Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20)));
        return events.Current;
    }
}
