using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Eviction;
using NodeAgent.Kubelet.Nodes;
using NodeAgent.Kubernetes.Events;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Linux.Network;

namespace NodeAgent.Kubelet.Tests.Nodes;

public sealed class NodeStatusReporterTests : IHostObserver, IHostNetwork, INodeImageSource, INodeHealth, IRuntimeStatusSource, IEventRecorder
{
    private static readonly NodeOptions Options = new() { NodeName = "n1", Hostname = "n1.local", KubeletVersion = "v1.36.2", RootDirectory = "/no-such-folder/kubelet" };
    private readonly FakeNodeApi _api = new();
    private readonly Clock _clock = new();
    private readonly List<string> _events = [];
    private readonly RuntimeStateMonitor _runtime;
    private readonly NodeInfo _info;
    private readonly NodeStatusReporter _reporter;
    private RuntimeState? _answer = new() { Name = "containerd", Version = "2.1.0", NetworkNotReady = null };
    private IReadOnlyList<string> _pressures = [];

    public NodeStatusReporterTests()
    {
        _runtime = new RuntimeStateMonitor(this, _clock, NullLogger<RuntimeStateMonitor>.Instance);
        _info = new NodeInfo(Options, _runtime);
        _reporter = new NodeStatusReporter(_api, Options, new NodeStatusSources(this, this, _runtime, this, this) { Pressures = () => _pressures }, _info, new NodeEvents(this, "n1"), _clock,
            NullLogger<NodeStatusReporter>.Instance);
    }

    string? INodeHealth.PlegError => null;

    string? INodeHealth.StorageError => null;

    bool INodeHealth.ShuttingDown => false;

    IReadOnlyList<string>? INodeHealth.VolumesInUse => null;

    private NodeCondition Ready => _api.Node!.Status.Conditions.Single(c => c.Type == "Ready");

    [Fact]
    public async Task A_new_node_is_created_with_labels_capacity_and_conditions()
    {
        await _runtime.AskOnceAsync(default);
        await _reporter.RegisterAsync(default);
        Node node = _api.Node!;
        Assert.Equal("n1.local", node.Metadata.Labels["kubernetes.io/hostname"]);
        Assert.Equal("true", node.Metadata.Annotations["volumes.kubernetes.io/controller-managed-attach-detach"]);
        Assert.Equal(["InternalIP=192.0.2.7", "Hostname=n1.local"], node.Status.Addresses.Select(a => $"{a.Type}={a.Address}"));
        Assert.Equal(["cpu=4", "ephemeral-storage=100Gi", "hugepages-2Mi=0", "memory=8Gi", "pods=110"],
            node.Status.Capacity.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}={c.Value}"));
        Assert.Equal((8L << 30) - (100 << 20), node.Status.Allocatable["memory"].Value());
        // A share is of single precision, as upstream: not quite 90 Gi.
        Assert.Equal(96636764000, node.Status.Allocatable["ephemeral-storage"].Value());
        Assert.Equal("containerd://2.1.0", node.Status.NodeInfo!.ContainerRuntimeVersion);
        Assert.Equal(("True", "KubeletReady", "kubelet is posting ready status"), (Ready.Status, Ready.Reason, Ready.Message));
        Assert.Equal(["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"], node.Status.Conditions.Select(c => c.Type));
        Assert.Equal(["big", "small"], node.Status.Images.Select(i => i.Names[0]));
        Assert.Equal("192.0.2.7", Assert.Single(_info.HostIPs));
    }

    [Fact]
    public async Task An_existing_node_keeps_its_own_labels_taints_and_spec()
    {
        _api.Node = new Node
        {
            Metadata = new ObjectMeta { Name = "n1", Uid = "u", Labels = new Dictionary<string, string> { ["mine"] = "1", ["kubernetes.io/os"] = "plan9" } },
            Spec = new NodeSpec { PodCIDR = "10.0.0.0/24", Unschedulable = true },
        };
        await _reporter.RegisterAsync(default);
        Assert.Equal(("1", "linux"), (_api.Node.Metadata.Labels["mine"], _api.Node.Metadata.Labels["kubernetes.io/os"]));
        Assert.True(_api.Node.Spec.Unschedulable);
        Assert.All(_api.Patches, p => Assert.Null(p["spec"]));
    }

    [Fact]
    public async Task Nothing_is_written_while_nothing_changes_until_the_report_is_due()
    {
        await ReadyAsync();
        _clock.Now += TimeSpan.FromMinutes(1);
        await ReadyAgainAsync();
        Assert.Empty(_api.Patches);
        _clock.Now += TimeSpan.FromMinutes(8);
        await ReadyAgainAsync();
        Assert.Equal(4, Assert.Single(_api.Patches)["status"]!["conditions"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_runtime_that_stays_away_makes_the_node_not_ready_with_the_reason_and_it_recovers()
    {
        await ReadyAsync();
        _answer = null;
        await _runtime.AskOnceAsync(default);
        await _reporter.SyncAsync(default);
        Assert.Equal("True", Ready.Status);
        _clock.Now += TimeSpan.FromSeconds(31);
        await _runtime.AskOnceAsync(default);
        await _reporter.SyncAsync(default);
        Assert.Equal(("False", "KubeletNotReady", "container runtime is down: no runtime"), (Ready.Status, Ready.Reason, Ready.Message));
        DateTimeOffset? since = Ready.LastTransitionTime;
        _clock.Now += TimeSpan.FromSeconds(10);
        _answer = new RuntimeState { Name = "containerd", Version = "2.1.1", NetworkNotReady = null };
        await ReadyAgainAsync();
        Assert.Equal("True", Ready.Status);
        Assert.NotEqual(since, Ready.LastTransitionTime);
        Assert.Equal(["Normal NodeNotReady Node n1 status is now: NodeNotReady", "Normal NodeReady Node n1 status is now: NodeReady"], _events);
    }

    [Fact]
    public async Task Cordoning_a_node_and_taking_it_back_are_told_once_each()
    {
        await ReadyAsync();
        foreach (bool cordoned in (bool[])[true, true, false, false])
        {
            _api.Node = _api.Node! with { Spec = (_api.Node.Spec ?? new NodeSpec()) with { Unschedulable = cordoned ? true : null } };
            _info.Observe(_api.Node);
            await ReadyAgainAsync();
        }

        Assert.Equal(["Normal NodeNotSchedulable Node n1 status is now: NodeNotSchedulable", "Normal NodeSchedulable Node n1 status is now: NodeSchedulable"], _events);
    }

    [Fact]
    public async Task Two_reasons_are_listed_in_brackets()
    {
        _answer = new RuntimeState { RuntimeNotReady = "container runtime not ready: RuntimeReady=false reason:A message:b", NetworkNotReady = "container runtime network not ready: NetworkReady=false reason:C message:d" };
        await ReadyAsync();
        Assert.Equal("[container runtime not ready: RuntimeReady=false reason:A message:b, container runtime network not ready: NetworkReady=false reason:C message:d]", Ready.Message);
        Assert.StartsWith("container runtime network not ready", _info.NetworkNotReady, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pressure_conditions_are_those_of_eviction()
    {
        NodeCondition Memory() => _api.Node!.Status.Conditions.Single(c => c.Type == "MemoryPressure");
        await ReadyAsync();
        _pressures = ["MemoryPressure"];
        await ReadyAgainAsync();
        Assert.Equal(("True", "KubeletHasInsufficientMemory"), (Memory().Status, Memory().Reason));
        _pressures = [];
        await ReadyAgainAsync();
        Assert.Equal(("False", "KubeletHasSufficientMemory"), (Memory().Status, Memory().Reason));
    }

    [Fact]
    public async Task A_deleted_node_stays_deleted_until_the_agent_starts_again()
    {
        await ReadyAsync();
        _api.Node = null;
        _info.Deleted(new Node());
        await _reporter.SyncAsync(default);
        await _reporter.SyncAsync(default);
        Assert.Null(_api.Node);
        Assert.Equal(0, _api.Drops);
        await _reporter.RegisterAsync(default);
        await _reporter.SyncAsync(default);
        Assert.NotNull(_api.Node);
    }

    [Fact]
    public async Task Labels_that_somebody_changes_after_registration_stay_changed()
    {
        await ReadyAsync();
        _api.Node = _api.Node! with { Metadata = _api.Node.Metadata with { ResourceVersion = "900", Labels = new Dictionary<string, string> { ["kubernetes.io/hostname"] = "other", ["new"] = "1" } } };
        _info.Observe(_api.Node);
        _pressures = ["MemoryPressure"];
        await ReadyAgainAsync();
        Assert.Equal(["kubernetes.io/hostname=other", "new=1"], _api.Node!.Metadata.Labels.Select(l => $"{l.Key}={l.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_heartbeat_that_fails_in_an_unforeseen_way_is_tried_again()
    {
        await ReadyAsync();
        _address = "not an address";
        await _reporter.SyncAsync(default);
        _address = "192.0.2.9";
        await ReadyAgainAsync();
        Assert.Contains(_api.Node!.Status.Addresses, a => a.Address == "192.0.2.9");
        NodeLeaseController controller = new(_api, _info, TimeSpan.FromSeconds(40), _clock, NullLogger<NodeLeaseController>.Instance);
        _api.Failure = new NotSupportedException("a plugin's fault");
        Assert.False(await controller.RenewAsync(default));
    }

    [Fact]
    public async Task Repeated_failures_drop_the_connections_and_do_not_throw()
    {
        await ReadyAsync();
        _pressures = ["MemoryPressure"];
        _api.Failure = new ApiUnreachableException("black hole");
        await ReadyAgainAsync();
        Assert.Equal(4, _api.Drops);
    }

    [Fact]
    public async Task Changed_addresses_are_replaced_as_a_whole()
    {
        await ReadyAsync();
        _address = "192.0.2.8";
        await ReadyAgainAsync();
        Assert.Equal(["192.0.2.8", "n1.local"], _api.Node!.Status.Addresses.Select(a => a.Address));
        Assert.Contains("$patch", _api.Patches[^1]["status"]!["addresses"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1", "loopback")]
    [InlineData("169.254.1.1", "link-local")]
    [InlineData("224.0.0.1", "multicast")]
    [InlineData("198.51.100.1", "not found in the host's network interfaces")]
    public void A_node_ip_that_cannot_be_one_is_refused(string ip, string why) =>
        Assert.Contains(why, Assert.Throws<InvalidOperationException>(() => NodeAddresses.Choose(Options with { NodeIPs = [IPAddress.Parse(ip)] }, [], this)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("memory.available", "10%", 1000, 100)]
    [InlineData("memory.available", "1Ki", 1_000_000, 1024)]
    public void Thresholds_are_quantities_or_shares(string signal, string value, long capacity, long amount) =>
        Assert.Equal(amount, EvictionThresholds.Parse(new Dictionary<string, string> { [signal] = value }).Single().Of(capacity));

    [Fact]
    public void A_threshold_that_is_neither_is_refused_and_0_percent_is_none()
    {
        Assert.Contains("evictionHard[x]", Assert.Throws<FormatException>(() => EvictionThresholds.Parse(new Dictionary<string, string> { ["x"] = "lots" })).Message, StringComparison.Ordinal);
        Assert.Empty(EvictionThresholds.Parse(new Dictionary<string, string> { ["x"] = "0%" }));
    }

    [Fact]
    public async Task The_lease_is_created_with_its_owner_renewed_and_survives_a_conflict()
    {
        await ReadyAsync();
        NodeLeaseController controller = new(_api, _info, TimeSpan.FromSeconds(40), _clock, NullLogger<NodeLeaseController>.Instance);
        Assert.True(await controller.RenewAsync(default));
        Assert.Equal(("n1", 40, "node-uid"), (_api.Lease!.Spec.HolderIdentity, _api.Lease.Spec.LeaseDurationSeconds, _api.Lease.Metadata.OwnerReferences[0].Uid));
        _clock.Now += TimeSpan.FromSeconds(10);
        _api.Lease = _api.Lease with { Metadata = _api.Lease.Metadata with { ResourceVersion = "other" } };
        Assert.True(await controller.RenewAsync(default));
        Assert.Equal(_clock.Now, _api.Lease.Spec.RenewTime);
        _api.Lease = null;
        Assert.True(await controller.RenewAsync(default));
        _api.Failure = new ApiUnreachableException("black hole");
        Assert.False(await controller.RenewAsync(default));
        Assert.Equal(4, _api.Drops);
    }

    [Fact]
    public async Task Extended_resources_that_an_operator_wrote_stay_and_are_allocatable()
    {
        await ReadyAsync();
        Write("example.com/dongle", "4");
        _info.Observe(_api.Node!);
        _pressures = ["MemoryPressure"];
        await ReadyAgainAsync();
        Assert.Equal(("4", "4"), (_api.Node!.Status.Capacity["example.com/dongle"].ToString(), _api.Node.Status.Allocatable["example.com/dongle"].ToString()));
    }

    [Theory]
    [InlineData("b", "4")]
    [InlineData("another boot", "0")]
    public async Task Extended_resources_of_another_machine_of_this_name_are_zero_when_it_registers(string bootBefore, string expected)
    {
        await ReadyAsync();
        Write("example.com/dongle", "4");
        _api.Node = _api.Node! with { Status = _api.Node.Status with { NodeInfo = _api.Node.Status.NodeInfo! with { BootID = bootBefore } } };
        await _reporter.RegisterAsync(default);
        await ReadyAgainAsync();
        Assert.Equal((expected, expected), (_api.Node!.Status.Capacity["example.com/dongle"].ToString(), _api.Node.Status.Allocatable["example.com/dongle"].ToString()));
    }

    [Theory]
    [InlineData(365)]
    [InlineData(-365)]
    public async Task A_date_that_is_set_changes_no_condition_and_delays_no_report(int days)
    {
        await ReadyAsync();
        _pressures = ["MemoryPressure"];
        await ReadyAgainAsync();
        _clock.Jump(TimeSpan.FromDays(days));
        await _reporter.SyncAsync(default);
        Assert.Equal("True", Ready.Status);
        _pressures = [];
        _clock.Now += TimeSpan.FromMinutes(6);
        await ReadyAgainAsync();
        int patches = _api.Patches.Count;
        _clock.Now += TimeSpan.FromMinutes(8);
        await ReadyAgainAsync();
        Assert.Equal(patches + 1, _api.Patches.Count);
    }

    [Fact]
    public async Task A_refusal_drops_no_connections_and_a_failed_server_drops_those_of_all()
    {
        await ReadyAsync();
        NodeLeaseController controller = new(_api, _info, TimeSpan.FromSeconds(40), _clock, NullLogger<NodeLeaseController>.Instance);
        int others = 0;
        controller.ConnectionsDoubtful += () => others++;
        _reporter.ConnectionsDoubtful += () => others++;
        _pressures = ["MemoryPressure"];
        _api.Failure = FakeNodeApi.Error(HttpStatusCode.Forbidden, "Forbidden");
        Assert.False(await controller.RenewAsync(default));
        await ReadyAgainAsync();
        Assert.Equal((0, 0), (_api.Drops, others));
        _api.Failure = FakeNodeApi.Error(HttpStatusCode.BadGateway, "");
        Assert.False(await controller.RenewAsync(default));
        Assert.Equal((5, 1), (_api.Drops, others));
        await _reporter.SyncAsync(default);
        Assert.Equal((9, 2), (_api.Drops, others));
    }

    private void Write(string resource, string amount) => _api.Node = _api.Node! with
    {
        Status = _api.Node.Status with { Capacity = new Dictionary<string, Quantity>(_api.Node.Status.Capacity) { [resource] = Quantity.Parse(amount) } },
    };

    private string _address = "192.0.2.7";

    Task<MachineCapacity> IHostObserver.CapacityAsync(CancellationToken cancellationToken) =>
        Task.FromResult(new MachineCapacity(4, 8L << 30, 0, 100L << 30, new Dictionary<string, long> { ["hugepages-2Mi"] = 0 }));

    MachineIdentity IHostObserver.Identity() => new("m", "s", "b", "6.1.0", "Debian", "amd64");

    IReadOnlyList<IPAddress> IHostNetwork.AllAddresses() => [IPAddress.Loopback, IPAddress.Parse(_address)];

    IPAddress? IHostNetwork.DefaultRouteAddress(AddressFamily family) => family == AddressFamily.InterNetwork ? IPAddress.Parse(_address) : null;

    IReadOnlyList<IPAddress> IHostNetwork.Resolve(string hostName) => [IPAddress.Loopback];

    Task<IReadOnlyList<NodeImage>> INodeImageSource.ListImagesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeImage>>([new([], ["small"], 1), new(["big"], ["big:1"], 10)]);

    Task<RuntimeState> IRuntimeStatusSource.AskAsync(CancellationToken cancellationToken) =>
        _answer is null ? Task.FromException<RuntimeState>(new IOException("no runtime")) : Task.FromResult(_answer);

    void IEventRecorder.Record(ObjectReference regarding, string type, string reason, string message, string action) => _events.Add($"{type} {reason} {message}");

    private async Task ReadyAsync()
    {
        await _runtime.AskOnceAsync(default);
        await _reporter.RegisterAsync(default);
    }

    private async Task ReadyAgainAsync()
    {
        await _runtime.AskOnceAsync(default);
        await _reporter.SyncAsync(default);
    }

    private sealed class Clock : TimeProvider
    {
        private TimeSpan _jumped;

        public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now + _jumped;

        public override long GetTimestamp() => Now.Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        // The date is set; no time passes.
        public void Jump(TimeSpan by) => _jumped += by;
    }
}
