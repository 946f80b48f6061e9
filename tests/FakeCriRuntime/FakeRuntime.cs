using System.Collections.Concurrent;
using System.Collections.Immutable;
using Google.Protobuf;
using NodeAgent.Cri.Containerd.V1;
using NodeAgent.Cri.V1;
using NodeAgent.Grpc;

namespace NodeAgent.FakeCriRuntime;

/// <summary>
/// A working model of a CRI runtime behind a real Unix socket: sandboxes, containers and images with their states, events, log files.
/// Nothing is executed; containers run until <see cref="ExitContainer"/> or a stop. Safe to use from any thread.
/// </summary>
public sealed class FakeRuntime : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly RuntimeModel _model;
    private readonly ConcurrentDictionary<string, CriLogFile> _logs = new();
    private readonly ConcurrentDictionary<string, bool> _lostTasks = new();
    private readonly FakeRuntimeServer _server;
    private ImmutableList<RecordedCall> _calls = [];
    private TaskCompletionSource _called = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private FakeRuntime(string socketPath, FakeRuntimeOptions options)
    {
        SocketPath = socketPath;
        Options = options;
        _model = new RuntimeModel(options.Time);
        _server = new FakeRuntimeServer(this);
    }

    /// <summary>The socket.</summary>
    public string SocketPath { get; }

    /// <summary>Delays, errors and hangs by call.</summary>
    public FakeBehaviour Behaviour { get; } = new();

    /// <summary>Answers ExecSync; by default exit code 0 without output.</summary>
    public Func<ExecSyncRequest, ExecSyncResponse> OnExec { get; set; } = _ => new ExecSyncResponse();

    /// <summary>How containers end when stopped; by default at once with 0. The name of the container decides, or its labels.</summary>
    public Func<FakeContainer, StopBehaviour> OnStop { get; set; } = _ => new StopBehaviour(TimeSpan.Zero, 0);

    /// <summary>Conditions in Status: RuntimeReady and NetworkReady.</summary>
    public bool RuntimeReady { get; set; } = true;

    /// <summary>Whether NetworkReady is true in Status.</summary>
    public bool NetworkReady { get; set; } = true;

    /// <summary>What a verbose Status tells besides.</summary>
    public ConcurrentDictionary<string, string> StatusInfo { get; } = new();

    /// <summary>All calls so far, in the order they came.</summary>
    public ImmutableList<RecordedCall> Calls => Volatile.Read(ref _calls);

    /// <summary>Subscribers of the event stream.</summary>
    public int EventSubscribers => CriEvents.Subscribers + ContainerdEvents.Subscribers;

    /// <summary>Copies of the sandboxes.</summary>
    public ImmutableArray<FakeSandbox> Sandboxes => Locked(m => m.Sandboxes.Values.Select(s => s with { Status = s.Status.Clone() }).ToImmutableArray());

    /// <summary>Copies of the containers.</summary>
    public ImmutableArray<FakeContainer> Containers => Locked(m => m.Containers.Values.Select(c => c with { Status = c.Status.Clone() }).ToImmutableArray());

    /// <summary>Copies of the images.</summary>
    public ImmutableArray<Image> Images => Locked(m => m.Images.Values.Select(i => i.Clone()).ToImmutableArray());

    internal FakeRuntimeOptions Options { get; }

    internal EventHub<ContainerEventResponse> CriEvents { get; } = new();

    internal EventHub<Envelope> ContainerdEvents { get; } = new();

    /// <summary>Starts a runtime that listens when this returns.</summary>
    public static Task<FakeRuntime> StartAsync(string socketPath, FakeRuntimeOptions? options = null)
    {
        var runtime = new FakeRuntime(socketPath, options ?? new FakeRuntimeOptions());
        runtime._server.Start();
        return Task.FromResult(runtime);
    }

    /// <summary>The runtime goes away: the socket is removed, calls under way break off; its containers stay.</summary>
    public Task StopAsync() => _server.StopAsync();

    /// <summary>The runtime comes back after <see cref="StopAsync"/> with what it had.</summary>
    public void StartAgain() => _server.Start();

    /// <summary>Puts an image into the store, as if pulled.</summary>
    public Image AddImage(string reference, ulong size = 1 << 20) => Locked(m => m.AddImage(reference, size).Clone());

    /// <summary>A container ends by itself.</summary>
    /// <param name="id">Container id.</param>
    /// <param name="code">Exit code.</param>
    /// <param name="reason">Null = Completed or Error, as runtimes put it.</param>
    /// <param name="message">Message in its status.</param>
    /// <exception cref="RpcException">NotFound.</exception>
    public void ExitContainer(string id, int code, string? reason = null, string message = "")
    {
        FakeContainer? ended = Locked(m => m.Exit(id, code, reason, message));
        if (ended is null) return;
        if (_logs.TryRemove(id, out CriLogFile? log)) log.Close();
        Publish(ended.SandboxId, id, ContainerEventType.ContainerStoppedEvent, "/tasks/exit", (uint)code);
    }

    /// <summary>A container is killed for want of memory (137, OOMKilled).</summary>
    public void OomKillContainer(string id)
    {
        string sandbox = Locked(m => m.Container(id).SandboxId);
        if (Options.Events == FakeEvents.Containerd) Publish(sandbox, id, null, "/tasks/oom", 0);
        ExitContainer(id, 137, "OOMKilled");
    }

    /// <summary>A sandbox's pause process dies: not ready, its containers killed.</summary>
    public void ExitSandbox(string id) => StopSandbox(id);

    /// <summary>Something removes a container behind the agent's back.</summary>
    public void ForgetContainer(string id) => RemoveContainer(id);

    /// <summary>The runtime loses a task of this container as containerd does: it can be removed only once the task was deleted by containerd's tasks service.</summary>
    public void LoseTask(string id) => _lostTasks[id] = true;

    /// <summary>The runtime cannot tell any more what a container does, as a containerd that could not load it when it started: unknown until it is stopped.</summary>
    public void LoseSight(string id) => Locked(m => m.Container(id).Status.State = ContainerState.ContainerUnknown);

    /// <summary>Writes a log line of a container, where option WriteLogs is set.</summary>
    public void WriteLog(string containerId, string line, string stream = "stdout")
    {
        if (_logs.TryGetValue(containerId, out CriLogFile? log)) log.Write(Options.Time.GetUtcNow(), stream, line);
    }

    /// <summary>Waits until a call has come a number of times (since the start).</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public async Task<RecordedCall> WaitForCallAsync(string method, int count, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task called = Volatile.Read(ref _called).Task;
            RecordedCall[] seen = Calls.Where(c => c.Method == method).Take(count).ToArray();
            if (seen.Length == count) return seen[^1];
            await called.WaitAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _server.StopAsync();
        foreach (CriLogFile log in _logs.Values) log.Close();
    }

    internal RecordedCall Record(string method, IMessage request)
    {
        var call = new RecordedCall(method, request, Options.Time.GetUtcNow());
        ImmutableInterlocked.Update(ref _calls, (list, c) => list.Add(c), call);
        Interlocked.Exchange(ref _called, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        return call;
    }

    internal T Locked<T>(Func<RuntimeModel, T> work)
    {
        lock (_lock) return work(_model);
    }

    internal string RunSandbox(RunPodSandboxRequest request)
    {
        string id = Locked(m => m.Run(request).Status.Id);
        if (Options.WriteLogs && request.Config.LogDirectory.Length > 0) Directory.CreateDirectory(request.Config.LogDirectory);
        Publish(id, id, ContainerEventType.ContainerCreatedEvent, "/tasks/create", 0);
        Publish(id, id, ContainerEventType.ContainerStartedEvent, "/tasks/start", 0);
        return id;
    }

    internal void StopSandbox(string id)
    {
        string[]? running = Locked(m =>
        {
            if (!m.Sandboxes.TryGetValue(id, out FakeSandbox? sandbox) || sandbox.Status.State != PodSandboxState.SandboxReady) return null;
            sandbox.Status.State = PodSandboxState.SandboxNotready;
            return m.Containers.Values.Where(c => c.SandboxId == id && c.Status.State == ContainerState.ContainerRunning).Select(c => c.Status.Id).ToArray();
        });
        if (running is null) return;
        foreach (string container in running) ExitContainer(container, 137);
        Publish(id, id, ContainerEventType.ContainerStoppedEvent, "/tasks/exit", 137);
    }

    internal void RemoveSandbox(string id)
    {
        StopSandbox(id);
        foreach (string container in Locked(m => m.Containers.Values.Where(c => c.SandboxId == id).Select(c => c.Status.Id).ToArray())) RemoveContainer(container);
        if (Locked(m => m.Sandboxes.Remove(id))) Publish(id, id, ContainerEventType.ContainerDeletedEvent, "/tasks/delete", 0);
    }

    internal string CreateContainer(CreateContainerRequest request)
    {
        FakeContainer container = Locked(m => m.Create(request));
        Publish(container.SandboxId, container.Status.Id, ContainerEventType.ContainerCreatedEvent, null, 0);
        return container.Status.Id;
    }

    internal void StartContainer(string id)
    {
        FakeContainer container = Locked(m => m.Start(id));
        if (Options.WriteLogs && container.Status.LogPath.Length > 0) _logs[id] = new CriLogFile(container.Status.LogPath);
        Publish(container.SandboxId, id, ContainerEventType.ContainerStartedEvent, "/tasks/start", 0);
    }

    internal async Task StopContainerAsync(StopContainerRequest request, CancellationToken cancellationToken)
    {
        FakeContainer? container = Locked(m => m.Containers.GetValueOrDefault(request.ContainerId));
        if (container is null || container.Status.State is not (ContainerState.ContainerRunning or ContainerState.ContainerUnknown)) return;
        StopBehaviour stop = OnStop(container);
        TimeSpan grace = TimeSpan.FromSeconds(Math.Max(0, request.Timeout));
        bool killed = stop.Takes > grace;
        TimeSpan takes = killed ? grace : stop.Takes;
        if (takes > TimeSpan.Zero) await Task.Delay(takes, Options.Time, cancellationToken);
        ExitContainer(request.ContainerId, killed ? 137 : stop.ExitCode);
    }

    internal bool DeleteTask(string id) => _lostTasks.TryRemove(id, out _);

    internal void RemoveContainer(string id)
    {
        if (_lostTasks.ContainsKey(id)) throw RuntimeModel.Error(StatusCode.FailedPrecondition, $"failed to delete containerd container \"{id}\": cannot delete running task {id}: failed precondition");
        FakeContainer? removed = Locked(m => m.Containers.Remove(id, out FakeContainer? c) ? c : null);
        if (removed is null) return;
        if (_logs.TryRemove(id, out CriLogFile? log)) log.Close();
        Publish(removed.SandboxId, id, ContainerEventType.ContainerDeletedEvent, "/tasks/delete", 0);
    }

    internal void ReopenLog(string id)
    {
        FakeContainer container = Locked(m => m.Container(id));
        if (container.Status.State != ContainerState.ContainerRunning) throw RuntimeModel.Error(StatusCode.FailedPrecondition, $"container {id} is not running");
        if (_logs.TryGetValue(id, out CriLogFile? log)) log.Reopen();
    }

    private void Publish(string sandboxId, string id, ContainerEventType? kind, string? topic, uint exitCode)
    {
        if (Options.Events == FakeEvents.Cri && kind is { } type)
        {
            CriEvents.Publish(Locked(m => new ContainerEventResponse
            {
                ContainerId = id,
                ContainerEventType = type,
                CreatedAt = m.Now,
                PodSandboxStatus = m.Sandboxes.GetValueOrDefault(sandboxId)?.Status.Clone(),
                ContainersStatuses = { m.Containers.Values.Where(c => c.SandboxId == sandboxId).Select(c => c.Status.Clone()) },
            }));
        }
        if (Options.Events == FakeEvents.Containerd && topic is not null)
            ContainerdEvents.Publish(ContainerdEnvelope.Of(topic, id, exitCode, Options.Time.GetUtcNow()));
    }
}
