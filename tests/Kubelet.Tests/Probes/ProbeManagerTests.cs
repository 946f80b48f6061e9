using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Probes;

public sealed class ProbeManagerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Targets _targets = new();
    private readonly Exec _exec = new();
    private readonly Events _events = new();
    private readonly BlockingWork _work = new();
    private readonly ConcurrentQueue<ProbeUpdate> _updates = new();
    private readonly ProbeManager _manager;

    public ProbeManagerTests()
    {
        _manager = new ProbeManager(
            new ProbeManagerParts(_targets, _exec, _events, new ProbeMetrics(new MetricsRegistry()), _work), _time, NullLogger<ProbeManager>.Instance);
        _manager.Changed += _updates.Enqueue;
    }

    private static Probe Command(int period = 10, int delay = 0, int failures = 3) => new()
    {
        Exec = new ExecAction { Command = ["check", "$(WHAT)"] },
        PeriodSeconds = period,
        InitialDelaySeconds = delay,
        FailureThreshold = failures,
    };

    private static Pod PodWith(Func<Container, Container> change, string name = "web")
    {
        Pod pod = TestPods.Pod(name);
        return pod with { Spec = pod.Spec with { Containers = [change(pod.Spec.Containers[0] with { Env = [new EnvVar { Name = "WHAT", Value = "it" }] })] } };
    }

    private ContainerId Run(Pod pod, string id, RuntimeContainerState state = RuntimeContainerState.Running, DateTimeOffset? started = null)
    {
        var container = new ContainerId("containerd", id);
        _targets.Containers[pod.Uid] = new RuntimeContainerStatus
        {
            Id = container,
            Name = "main",
            SandboxId = "s",
            RestartCount = 0,
            State = state,
            StartedAt = started ?? _time.GetUtcNow(),
        };
        _manager.Observe(pod.Uid);
        return container;
    }

    private static async Task Eventually(Func<bool> condition)
    {
        var patience = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(60), "did not come about in a minute");
            await Task.Delay(1);
        }
    }

    [Fact]
    public async Task Readiness_is_probed_as_soon_as_the_container_runs_and_then_each_period()
    {
        Pod pod = PodWith(c => c with { ReadinessProbe = Command() });
        _manager.AddPod(pod);
        Assert.Equal(0, _exec.Calls);
        ContainerId id = Run(pod, "a");
        await Eventually(() => _manager.Get(id, ProbeType.Readiness) == ProbeResult.Success);
        Assert.Equal(["check", "it"], _exec.LastCommand);
        Assert.Equal([ProbeResult.Failure, ProbeResult.Success], _updates.Select(u => u.Result));
        _time.Advance(TimeSpan.FromSeconds(9.8));
        Assert.Equal(1, _exec.Calls);
        _time.Advance(TimeSpan.FromSeconds(0.4));
        await Eventually(() => _exec.Calls == 2);
        Assert.True(_manager.HasProbe(pod.Uid, "main", ProbeType.Readiness));
        Assert.False(_manager.HasProbe(pod.Uid, "main", ProbeType.Liveness));
        _manager.RemovePod(pod.Uid);
        Assert.Null(_manager.Get(id, ProbeType.Readiness));
        await Eventually(() => _time.Armed == 0);
    }

    [Fact]
    public async Task Liveness_fails_at_its_threshold_with_an_event_each_time_and_is_then_on_hold()
    {
        Pod pod = PodWith(c => c with { LivenessProbe = Command(failures: 2, delay: 5) });
        _exec.Respond = _ => new ExecProbeResult(1, "bad"u8.ToArray(), false);
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a");
        Assert.Equal(0, _exec.Calls);
        _time.Advance(TimeSpan.FromSeconds(5.1));
        // The event comes first, the timer of the next probe after it.
        await Eventually(() => _events.Texts.Count == 1 && _time.Armed > 0);
        Assert.Equal(ProbeResult.Success, _manager.Get(id, ProbeType.Liveness));
        _time.Advance(TimeSpan.FromSeconds(10.2));
        await Eventually(() => _manager.Get(id, ProbeType.Liveness) == ProbeResult.Failure);
        Assert.All(_events.Texts, t => Assert.Equal("Unhealthy: Liveness probe failed: bad", t));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(2, _exec.Calls);
        ContainerId next = Run(pod, "b");
        Assert.Null(_manager.Get(id, ProbeType.Liveness));
        Assert.Equal(ProbeResult.Success, _manager.Get(next, ProbeType.Liveness));
    }

    [Fact]
    public async Task Readiness_waits_for_startup_and_is_probed_at_once_when_that_passed()
    {
        Pod pod = PodWith(c => c with { StartupProbe = Command(period: 1), ReadinessProbe = Command(period: 100) });
        bool up = false;
        _exec.Respond = _ => new ExecProbeResult(up ? 0 : 1, default, false);
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a");
        await Eventually(() => _events.Texts.Count == 1);
        Assert.Equal(ProbeResult.Failure, _manager.Get(id, ProbeType.Readiness));
        up = true;
        _time.Advance(TimeSpan.FromSeconds(1.2));
        await Eventually(() => _manager.Get(id, ProbeType.Readiness) == ProbeResult.Success);
        Assert.Equal(ProbeResult.Success, _manager.Get(id, ProbeType.Startup));
        Assert.Equal(3, _exec.Calls);
    }

    [Fact]
    public async Task A_container_that_ends_is_not_ready_at_once()
    {
        Pod pod = PodWith(c => c with { ReadinessProbe = Command() });
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a");
        await Eventually(() => _manager.Get(id, ProbeType.Readiness) == ProbeResult.Success);
        Run(pod, "a", RuntimeContainerState.Exited);
        Assert.Equal(ProbeResult.Failure, _manager.Get(id, ProbeType.Readiness));
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(1, _exec.Calls);
    }

    [Fact]
    public async Task A_container_the_runtime_cannot_tell_of_is_not_probed_and_a_try_under_way_does_not_count()
    {
        Pod pod = PodWith(c => c with { LivenessProbe = Command(failures: 1), ReadinessProbe = Command() });
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a");
        await Eventually(() => _manager.Get(id, ProbeType.Readiness) == ProbeResult.Success && _exec.Calls == 2 && _time.Armed > 0);
        var late = new TaskCompletionSource<ExecProbeResult>();
        _exec.RespondAsync = _ => late.Task;
        _time.Advance(TimeSpan.FromSeconds(10.2));
        await Eventually(() => _exec.Calls == 4);
        Run(pod, "a", RuntimeContainerState.Unknown);
        late.SetResult(new ExecProbeResult(1, default, false));
        for (int i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(10.2));
            await Task.Delay(1);
        }

        Assert.Equal(4, _exec.Calls);
        Assert.Empty(_events.Texts);
        Assert.Equal([ProbeResult.Success, ProbeResult.Success], new[] { ProbeType.Liveness, ProbeType.Readiness }.Select(type => _manager.Get(id, type)!.Value));
    }

    [Fact]
    public async Task An_error_of_the_runtime_is_tried_three_times_and_changes_no_verdict()
    {
        Pod pod = PodWith(c => c with { LivenessProbe = Command(failures: 1) });
        _exec.Respond = _ => throw new InvalidOperationException("runtime is away");
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a");
        await Eventually(() => _events.Texts.Count == 1);
        Assert.Equal(3, _exec.Calls);
        Assert.Equal("Unhealthy: Liveness probe errored and resulted in unknown state: runtime is away", Assert.Single(_events.Texts));
        Assert.Equal(ProbeResult.Success, _manager.Get(id, ProbeType.Liveness));
    }

    [Fact]
    public async Task Terminating_pods_keep_readiness_and_lose_liveness_and_startup()
    {
        Pod pod = PodWith(c => c with { LivenessProbe = Command(failures: 1), ReadinessProbe = Command() });
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a");
        await Eventually(() => _manager.Get(id, ProbeType.Readiness) == ProbeResult.Success && _exec.Calls == 2);
        _manager.StopLivenessAndStartup(pod.Uid);
        _exec.Respond = _ => new ExecProbeResult(1, default, false);
        for (int i = 0; i < 3; i++)
        {
            int seen = _events.Texts.Count;
            _time.Advance(TimeSpan.FromSeconds(10.2));
            await Eventually(() => _events.Texts.Count == seen + 1);
        }

        Assert.Equal(ProbeResult.Failure, _manager.Get(id, ProbeType.Readiness));
        Assert.Equal(ProbeResult.Success, _manager.Get(id, ProbeType.Liveness));
    }

    [Fact]
    public void Containers_older_than_the_agent_are_probed_within_one_period_and_keep_their_state_until_then()
    {
        Pod pod = PodWith(c => c with { ReadinessProbe = Command(), LivenessProbe = Command() });
        _manager.AddPod(pod);
        ContainerId id = Run(pod, "a", started: _time.GetUtcNow().AddHours(-1));
        Assert.Null(_manager.Get(id, ProbeType.Readiness));
        Assert.Empty(_updates);
        Assert.Equal(1, _time.Armed);
    }

    [Fact]
    public async Task A_hundred_slow_commands_delay_no_other_probe()
    {
        var slow = new TaskCompletionSource<ExecProbeResult>();
        _exec.RespondAsync = id => id.Id.StartsWith("slow", StringComparison.Ordinal) ? slow.Task : Task.FromResult(new ExecProbeResult(0, default, false));
        for (int i = 0; i < 100; i++)
        {
            Pod pod = PodWith(c => c with { ReadinessProbe = Command() }, $"slow{i}");
            _manager.AddPod(pod);
            Run(pod, $"slow{i}");
        }

        Pod quick = PodWith(c => c with { ReadinessProbe = Command() }, "quick");
        _manager.AddPod(quick);
        ContainerId id = Run(quick, "quick");
        // Each place is given up half a second of virtual time after its command began, whenever that is: time goes on until all have been.
        await Eventually(() =>
        {
            if (_manager.Get(id, ProbeType.Readiness) == ProbeResult.Success) return true;
            if (_time.Armed > 0) _time.Advance(TimeSpan.FromSeconds(0.1));
            return false;
        });
        slow.SetResult(new ExecProbeResult(0, default, false));
    }

    [Fact]
    public async Task A_thousand_probes_share_one_timer()
    {
        for (int i = 0; i < 1000; i++)
        {
            Pod pod = PodWith(c => c with { ReadinessProbe = Command() }, $"p{i}");
            _manager.AddPod(pod);
            Run(pod, $"c{i}");
        }

        await Eventually(() => _updates.Count(u => u.Result == ProbeResult.Success) == 1000);
        await Eventually(() => _time.Armed == 1);
        _time.Advance(TimeSpan.FromSeconds(10.2));
        await Eventually(() => _exec.Calls == 2000);
    }

    public void Dispose()
    {
        _manager.Dispose();
        _work.Dispose();
    }

    private sealed class Targets : IProbeTargets
    {
        public ConcurrentDictionary<PodUid, RuntimeContainerStatus> Containers { get; } = new();

        public RuntimeContainerStatus? Find(PodUid uid, string containerName) => Containers.GetValueOrDefault(uid);
        public string? PodIP(PodUid uid) => "127.0.0.1";
        public PodStatus? LastStatus(PodUid uid) => null;
    }

    private sealed class Exec : IExecProber
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);
        public IReadOnlyList<string> LastCommand { get; private set; } = [];
        public Func<ContainerId, ExecProbeResult> Respond { get; set; } = _ => new ExecProbeResult(0, default, false);
        public Func<ContainerId, Task<ExecProbeResult>>? RespondAsync { get; set; }

        public async Task<ExecProbeResult> ExecAsync(ContainerId container, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken cancellationToken)
        {
            LastCommand = command;
            Interlocked.Increment(ref _calls);
            return RespondAsync is { } later ? await later(container) : Respond(container);
        }
    }

    private sealed class Events : IPodEventRecorder
    {
        private readonly ConcurrentQueue<string> _texts = new();

        public IReadOnlyCollection<string> Texts => _texts;

        public void Record(Pod pod, string? containerName, string type, string reason, string message) => _texts.Enqueue($"{reason}: {message}");
    }
}
