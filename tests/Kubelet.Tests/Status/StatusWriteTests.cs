using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Tests.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Status;

/// <summary>A status write begins from the newest version known here; the API server is read only where it has a newer one.</summary>
public sealed class StatusWriteTests : IDisposable
{
    private readonly PodManager _pods = new();
    private readonly ApiPods _api = new(new FakeTimeProvider());
    private readonly CancellationTokenSource _stop = new();
    private readonly StatusManager _statuses;

    public StatusWriteTests() =>
        _statuses = new StatusManager(_api, _pods, _ => true, new FakeTimeProvider(), NullLogger<StatusManager>.Instance, _stop.Token);

    [Fact]
    public async Task What_the_watch_brought_last_is_patched_without_a_read()
    {
        Follow();
        Pod pod = Put("Pending");
        _statuses.Set(pod, new PodStatus { Phase = "Running" });
        await ShowsAsync(s => s.Phase == "Running");
        Assert.Equal((0, 1), (_api.Reads, _api.Patches));
    }

    [Fact]
    public async Task The_answer_to_a_write_is_known_before_the_watch_brings_it()
    {
        Pod pod = Put("Pending");
        _pods.Set(pod);
        _statuses.Set(pod, new PodStatus { Phase = "Running" });
        await ShowsAsync(s => s.Phase == "Running");
        _statuses.Set(pod, new PodStatus { Phase = "Running", Message = "second" });
        await ShowsAsync(s => s.Message == "second");
        Assert.Equal((0, 2), (_api.Reads, _api.Patches));
    }

    [Fact]
    public async Task What_somebody_else_wrote_meanwhile_is_read_and_kept()
    {
        Pod pod = Put("Pending");
        _pods.Set(pod);
        PodStatus theirs = new() { Phase = "Failed", Conditions = [new PodCondition { Type = "Theirs", Status = "True" }] };
        _api.Put(pod with { Status = theirs });
        _statuses.Set(pod, new PodStatus { Phase = "Running", Message = "ours" });
        await ShowsAsync(s => s.Message == "ours");
        Assert.Equal("Failed", _api.Find("web")!.Status.Phase);
        Assert.Contains(_api.Find("web")!.Status.Conditions, c => c.Type == "Theirs");
        Assert.Equal(1, _api.Reads);
    }

    [Fact]
    public async Task A_pod_that_is_gone_is_not_written_again_although_another_has_its_name()
    {
        Pod pod = Put("Pending");
        _pods.Set(pod);
        Pod other = pod with { Metadata = pod.Metadata with { Uid = "another" } };
        _api.Put(other);
        _statuses.Set(pod, new PodStatus { Phase = "Running" });
        await CalledAsync(1);
        _statuses.Set(pod, new PodStatus { Phase = "Running", Message = "second" });
        Assert.Equal("Pending", _api.Find("web")!.Status.Phase);
        Assert.Equal(0, _api.Patches);
    }

    [Theory]
    [InlineData("7", "8", true)]
    [InlineData("8", "7", false)]
    [InlineData("9", "10", true)]
    [InlineData("7", "7", false)]
    [InlineData("", "8", false)]
    [InlineData("7", "x", false)]
    public void Versions_are_compared_as_numbers(string first, string second, bool other)
    {
        Pod pod = TestPods.Pod();
        Pod a = pod with { Metadata = pod.Metadata with { ResourceVersion = first } }, b = pod with { Metadata = pod.Metadata with { ResourceVersion = second } };
        Assert.Same(other ? b : a, PodVersion.Newer(a, b));
        Assert.Same(a, PodVersion.Newer(a, b with { Metadata = b.Metadata with { Uid = "another", ResourceVersion = "99" } }));
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private void Follow() => _api.Watch((kind, pod) =>
    {
        if (kind != PodUpdateKind.Remove)
        {
            _pods.Set(pod);
        }
    });

    private Pod Put(string phase)
    {
        Pod pod = TestPods.Pod();
        _api.Put(pod with { Metadata = pod.Metadata with { Name = "web" }, Status = new PodStatus { Phase = phase } });
        return _api.Find("web")!;
    }

    private async Task CalledAsync(int calls)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (_api.Calls < calls)
        {
            await Task.Delay(2, limit.Token);
        }
    }

    private async Task ShowsAsync(Func<PodStatus, bool> holds)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!holds(_api.Find("web")!.Status))
        {
            await Task.Delay(2, limit.Token);
        }
    }
}
