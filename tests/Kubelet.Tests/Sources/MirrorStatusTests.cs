using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Sources;

/// <summary>A static pod's status is told by whatever mirror pod it has, however often that is replaced.</summary>
public sealed class MirrorStatusTests : IDisposable
{
    private readonly PodManager _pods = new();
    private readonly Api _api = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly StatusManager _statuses;

    public MirrorStatusTests() =>
        _statuses = new StatusManager(_api, _pods, _ => true, new FakeTimeProvider(), NullLogger<StatusManager>.Instance, _stop.Token);

    private static Pod Static { get; } = TestPods.Pod() is var p ? p with
    {
        Metadata = p.Metadata with
        {
            Annotations = new Dictionary<string, string> { [PodIdentityExtensions.ConfigHashAnnotation] = "h", [PodIdentityExtensions.ConfigSourceAnnotation] = "file" },
        },
    } : null!;

    private static Pod Mirror(string uid, string hash = "h", string phase = "Pending") => TestPods.Pod() is var p ? p with
    {
        Metadata = p.Metadata with { Uid = uid, Annotations = new Dictionary<string, string> { [PodIdentityExtensions.ConfigMirrorAnnotation] = hash } },
        Status = new PodStatus { Phase = phase },
    } : null!;

    private void Show(Pod mirror)
    {
        _api.Current = mirror;
        _pods.Set(mirror);
        _statuses.Reconcile(Static with { Status = mirror.Status });
    }

    private async Task WrittenAsync(string uid)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (_api.Current is not { } now || now.Metadata.Uid != uid || now.Status.Phase != "Running")
        {
            await Task.Delay(2, limit.Token);
        }
    }

    [Fact]
    public async Task Each_mirror_gets_the_status_even_if_it_came_after_it_or_replaces_another()
    {
        _pods.Set(Static);
        _statuses.Set(Static, new PodStatus { Phase = "Running" });
        Show(Mirror("m1"));
        await WrittenAsync("m1");
        _api.Current = null;
        _statuses.Set(Static, new PodStatus { Phase = "Running", Message = "changed while there was none" });
        Show(Mirror("m2"));
        await WrittenAsync("m2");
        Show(Mirror("m3"));
        await WrittenAsync("m3");
    }

    [Fact]
    public async Task A_mirror_that_comes_after_the_first_status_says_since_when_what_still_holds_has_held()
    {
        DateTimeOffset before = DateTimeOffset.UnixEpoch, now = before.AddHours(1);
        PodCondition Condition(string type, string status, DateTimeOffset since) => new() { Type = type, Status = status, LastTransitionTime = since };
        PodStatus status = new() { Phase = "Running", Conditions = [Condition("PodScheduled", "True", now), Condition("Ready", "True", now)] };
        _pods.Set(Static);
        _statuses.Set(Static, status);
        Pod mirror = Mirror("m1");
        Show(mirror with { Status = new PodStatus { Phase = "Pending", Conditions = [Condition("PodScheduled", "True", before), Condition("Ready", "False", before)] } });
        await WrittenAsync("m1");
        // What was being computed meanwhile knows nothing of it.
        _statuses.Set(Static, status with { Message = "later" });
        Assert.Equal([before, now], _statuses.StatusOf(Static).Conditions.Select(c => c.LastTransitionTime));
        Assert.Equal([before, now], _api.Current!.Status.Conditions.Select(c => c.LastTransitionTime));
    }

    [Fact]
    public async Task A_status_computed_before_the_mirror_was_known_is_computed_anew_after_what_the_mirror_says()
    {
        // As with a readiness probe that has found nothing yet: what was so before decides.
        PodStatus After(PodStatus before) => new()
        {
            Phase = "Running",
            Conditions = [new PodCondition { Type = "Ready", Status = before.Conditions.Any(c => c is { Type: "Ready", Status: "True" }) ? "True" : "False", LastTransitionTime = DateTimeOffset.UnixEpoch.AddHours(1) }],
        };
        PodCondition ready = new() { Type = "Ready", Status = "True", LastTransitionTime = DateTimeOffset.UnixEpoch };
        _pods.Set(Static);
        _statuses.Set(Static, After(new PodStatus()), anew: After);
        Assert.Equal("False", Assert.Single(_statuses.StatusOf(Static).Conditions).Status);
        Pod mirror = Mirror("m1");
        Show(mirror with { Status = new PodStatus { Phase = "Pending", Conditions = [ready] } });
        await WrittenAsync("m1");
        Assert.Equal(ready, Assert.Single(_api.Current!.Status.Conditions));
        // A pass that began before the mirror came ends after it.
        _statuses.Set(Static, After(new PodStatus()), anew: After);
        Assert.Equal(ready, Assert.Single(_statuses.StatusOf(Static).Conditions));
    }

    [Fact]
    public void A_condition_that_stands_for_another_reason_has_its_new_time()
    {
        PodStatus Resize(string reason, int second) => new()
        {
            Phase = "Running",
            Conditions = [new PodCondition { Type = "PodResizePending", Status = "True", Reason = reason, LastTransitionTime = DateTimeOffset.UnixEpoch.AddSeconds(second) }],
        };

        _statuses.Set(Static, Resize("Deferred", 1));
        _statuses.Set(Static, Resize("Infeasible", 2));
        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(2), Assert.Single(_statuses.StatusOf(Static).Conditions).LastTransitionTime);
        _statuses.Set(Static, Resize("Infeasible", 3));
        Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(2), Assert.Single(_statuses.StatusOf(Static).Conditions).LastTransitionTime);
    }

    [Fact]
    public void A_fresh_start_takes_the_status_from_the_mirror_of_this_very_manifest()
    {
        _pods.Set(Mirror("m", phase: "Running"));
        Assert.Equal("Running", _statuses.StatusOf(Static).Phase);
        _pods.Set(Mirror("m", hash: "earlier", phase: "Failed"));
        Assert.Equal("Pending", _statuses.StatusOf(Static).Phase);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private sealed class Api : IPodStatusWriter
    {
        private Pod? _current;

        public Pod? Current
        {
            get => Volatile.Read(ref _current);
            set => Volatile.Write(ref _current, value);
        }

        public Task<Pod?> GetAsync(string @namespace, string name, CancellationToken cancellationToken) => Task.FromResult(Current);

        public Task<Pod?> PatchStatusAsync(Pod current, PodStatus status, bool exactly, CancellationToken cancellationToken)
        {
            if (Current is not { } there || there.Metadata.Uid != current.Metadata.Uid)
            {
                return Task.FromResult<Pod?>(null);
            }

            return Task.FromResult<Pod?>(Current = there with { Status = status });
        }

        public Task DeleteAsync(Pod pod, CancellationToken cancellationToken) => throw new InvalidOperationException("a mirror pod is not the status manager's to delete");
    }
}
