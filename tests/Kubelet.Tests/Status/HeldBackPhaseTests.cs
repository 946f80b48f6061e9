using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Status;

/// <summary>A terminal phase is held back while containers may run; once none can, it goes out whatever else changes.</summary>
public sealed class HeldBackPhaseTests : IDisposable
{
    private readonly PodManager _pods = new();
    private readonly Api _api = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly StatusManager _statuses;
    private bool _mayRun = true;

    public HeldBackPhaseTests() =>
        _statuses = new StatusManager(_api, _pods, _ => Volatile.Read(ref _mayRun), new FakeTimeProvider(), NullLogger<StatusManager>.Instance, _stop.Token);

    [Fact]
    public async Task It_is_written_at_the_end_although_nothing_else_of_the_status_changed()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never") with { Status = new PodStatus { Phase = "Running" } };
        _pods.Set(pod);
        _api.Current = pod;
        var ended = new PodStatus { Phase = "Succeeded", Message = "all of it" };
        _statuses.Set(pod, ended);
        await ShowsAsync(status => status.Message == "all of it");
        Assert.Equal("Running", _api.Current!.Status.Phase);
        Volatile.Write(ref _mayRun, false);
        _statuses.Set(pod, ended, final: true);
        await ShowsAsync(status => status.Phase == "Succeeded");
    }

    [Fact]
    public async Task It_is_looked_at_once_and_not_with_every_pass()
    {
        Pod pod = TestPods.Pod(restartPolicy: "Never") with { Status = new PodStatus { Phase = "Running" } };
        _pods.Set(pod);
        _api.Current = pod;
        Volatile.Write(ref _mayRun, false);
        _statuses.Set(pod, new PodStatus { Phase = "Succeeded" }, final: true);
        await ShowsAsync(status => status.Phase == "Succeeded");
        int before = _api.Reads;
        for (int pass = 0; pass < 5; pass++)
        {
            _statuses.Set(pod, new PodStatus { Phase = "Succeeded" }, final: true);
        }

        // A change is written after whatever the passes before it asked for.
        _statuses.Set(pod, new PodStatus { Phase = "Succeeded", Message = "later" }, final: true);
        await ShowsAsync(status => status.Message == "later");
        Assert.Equal(before + 1, _api.Reads);
    }

    private async Task ShowsAsync(Func<PodStatus, bool> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds(_api.Current!.Status))
        {
            await Task.Delay(2, limit.Token);
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private sealed class Api : IPodStatusWriter
    {
        private volatile Pod? _current;
        private int _reads;

        public Pod? Current
        {
            get => _current;
            set => _current = value;
        }

        public int Reads => Volatile.Read(ref _reads);

        public Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return Task.FromResult(Current);
        }

        public Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken) => Task.FromResult<Pod?>(Current = current with { Status = status });

        public Task DeleteAsync(Pod pod, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
