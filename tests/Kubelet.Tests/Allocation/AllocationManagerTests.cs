using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Tests.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Allocation;

public sealed class AllocationManagerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly PodManager _pods = new();
    private readonly RecordedEvents _events = new();
    private readonly List<string> _asked = [];
    private readonly PodResourceState _allocated = PodResourceState.Load("allocated", null, _ => Task.CompletedTask, NullLogger.Instance);
    private readonly PodResourceState _actuated = PodResourceState.Load("actuated", null, _ => Task.CompletedTask, NullLogger.Instance);
    private readonly ResizeConditions _conditions;
    private const long Room = 2000;
    private bool _ready = true;

    public AllocationManagerTests() => _conditions = new ResizeConditions(_time);

    private AllocationManager Manager(ResizeOptions? options = null) => new(
        new AllocationParts(_allocated, _actuated, _conditions, _pods, _events, AdmitAsync, options ?? ResizeOptions.None), () => _ready, _time, NullLogger<AllocationManager>.Instance);

    private Task<(string Reason, string Message)?> AdmitAsync(Pod pod, CancellationToken cancellationToken)
    {
        _asked.Add(pod.Metadata.Name!);
        long wanted = pod.Spec.Containers[0].Resources!.Requests["cpu"].MilliValue();
        long taken = _pods.All.Where(p => p.Uid != pod.Uid).Sum(p => _allocated.Get(p.Uid, "main")?.Requests["cpu"].MilliValue() ?? 0);
        return Task.FromResult<(string, string)?>(wanted + taken > Room ? ("OutOfcpu", $"no room for {wanted}") : null);
    }

    private Pod Put(string name, string cpu, long generation = 1, bool guaranteed = false, int priority = 0)
    {
        var requests = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse(cpu), ["memory"] = Quantity.Parse("10Mi") };
        Pod pod = TestPods.Pod(name);
        pod = pod with
        {
            Metadata = pod.Metadata with { Generation = generation },
            Spec = pod.Spec with
            {
                Priority = priority,
                Containers = [pod.Spec.Containers[0] with { Resources = new ResourceRequirements { Requests = requests, Limits = guaranteed ? requests : new Dictionary<string, Quantity>() } }],
            },
        };
        _pods.Set(pod);
        return pod;
    }

    private static string Cpu(AllocationManager manager, Pod pod) => manager.Allocated(pod).Spec.Containers[0].Resources!.Requests["cpu"].ToString();

    [Fact]
    public async Task A_resize_that_fits_is_allocated_and_in_progress()
    {
        AllocationManager manager = Manager();
        await manager.AdmittedAsync(Put("web", "100m"));
        Pod resized = Put("web", "500m", generation: 2);
        Assert.Equal("100m", Cpu(manager, resized));
        await manager.ConsiderAsync(resized, default);
        Assert.Equal("500m", Cpu(manager, resized));
        PodCondition condition = Assert.Single(_conditions.Of(resized.Uid));
        Assert.Equal(("PodResizeInProgress", "True", 2L), (condition.Type, condition.Status, condition.ObservedGeneration));
        Assert.Equal(
            [("web", "ResizeStarted", """Pod resize started: {"containers":[{"name":"main","resources":{"requests":{"cpu":"500m","memory":"10Mi"}}}],"generation":2}""")], _events.All);
    }

    [Fact]
    public async Task A_resize_without_room_waits_says_so_once_and_is_done_when_there_is()
    {
        AllocationManager manager = Manager();
        await manager.AdmittedAsync(Put("other", "1500m"));
        await manager.AdmittedAsync(Put("web", "100m"));
        Pod resized = Put("web", "1", generation: 2);
        await manager.ConsiderAsync(resized, default);
        await manager.ConsiderAsync(resized, default);
        PodCondition condition = Assert.Single(_conditions.Of(resized.Uid));
        Assert.Equal(("PodResizePending", "Deferred", "no room for 1000", 2L), (condition.Type, condition.Reason, condition.Message, condition.ObservedGeneration));
        Assert.Equal("ResizeDeferred", Assert.Single(_events.All).Reason);
        Assert.Equal("100m", Cpu(manager, resized));

        var decided = new TaskCompletionSource<PodUid>();
        manager.Decided += decided.SetResult;
        using var stop = new CancellationTokenSource();
        Task running = manager.RunAsync(stop.Token);
        _pods.Remove(_pods.Find("default", "other")!);
        manager.Remove(new PodUid("uid-other"));
        Assert.Equal(resized.Uid, await decided.Task.WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Equal("1", Cpu(manager, resized));
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task A_resize_taken_back_while_it_waits_leaves_no_condition()
    {
        AllocationManager manager = Manager();
        await manager.AdmittedAsync(Put("web", "100m"));
        await manager.ConsiderAsync(Put("web", "9", generation: 2), default);
        Assert.NotEmpty(_conditions.Of(new PodUid("uid-web")));
        await manager.ConsiderAsync(Put("web", "100m", generation: 3), default);
        Assert.Empty(_conditions.Of(new PodUid("uid-web")));
    }

    [Fact]
    public async Task A_resize_that_can_never_be_is_looked_at_once_for_each_generation()
    {
        AllocationManager manager = Manager(ResizeOptions.None with { CpuManagerPolicy = "static" });
        await manager.AdmittedAsync(Put("web", "100m", guaranteed: true));
        Pod resized = Put("web", "200m", generation: 2, guaranteed: true);
        await manager.ConsiderAsync(resized, default);
        await manager.ConsiderAsync(resized, default);
        PodCondition condition = Assert.Single(_conditions.Of(resized.Uid));
        Assert.Equal(("Infeasible", "Resize is infeasible for Guaranteed Pods alongside CPU Manager policy \"static\""), (condition.Reason, condition.Message));
        Assert.Equal("ResizeInfeasible", Assert.Single(_events.All).Reason);
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task Those_that_give_back_go_first_then_priority_counts()
    {
        AllocationManager manager = Manager();
        _ready = false;
        foreach (string name in (string[])["low", "high", "less"])
        {
            await manager.AdmittedAsync(Put(name, "500m"));
        }

        await manager.ConsiderAsync(Put("low", "600m", 2), default);
        await manager.ConsiderAsync(Put("high", "700m", 2, priority: 5), default);
        Assert.Empty(_asked);
        _ready = true;
        await manager.ConsiderAsync(Put("less", "100m", 2), default);
        Assert.Equal(["less", "high", "low"], _asked);
    }

    [Fact]
    public async Task What_was_allocated_in_an_earlier_life_stays_until_it_is_decided_anew()
    {
        Pod before = Put("web", "100m");
        await Manager().AdmittedAsync(before);
        AllocationManager manager = Manager();
        Pod now = Put("web", "300m", generation: 2);
        Assert.Equal("100m", Cpu(manager, now));
        await manager.AdmittedAsync(manager.Allocated(now));
        await manager.ConsiderAsync(now, default);
        Assert.Equal("300m", Cpu(manager, now));
    }
}
