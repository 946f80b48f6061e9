using NodeAgent.Kubelet.Admission;
using NodeAgent.Kubelet.Tests.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Admission;

public sealed class PodAdmissionTests
{
    private static readonly Node Host = new()
    {
        Metadata = new ObjectMeta { Name = "n1", Labels = new Dictionary<string, string> { ["disk"] = "ssd", ["cores"] = "8" } },
        Status = new NodeStatus { Allocatable = PodResourcesTests.List("cpu=2", "memory=2Gi", "ephemeral-storage=10Gi", "pods=3", "example.com/gpu=1") },
    };

    private static readonly PodAdmission Chain = PodAdmission.Default("n1", new SysctlAllowlist("6.1.0-x", ["kernel.msg*", "net.core.somaxconn"]), AdmissionFeatures.All);

    private static Pod Wants(string requests = "") => PodResourcesTests.PodOf([PodResourcesTests.With("a", requests, "")]);

    private static (string Reason, string Message)? Ask(Pod pod, Node? node = null, Pod[]? others = null, string[]? pressures = null, bool shutdown = false) =>
        Chain.Admit(new AdmissionRequest(pod, node ?? Host, others ?? []) { Pressures = pressures ?? [], ShuttingDown = shutdown }) is AdmitResult.Rejected r
            ? (r.Reason, r.Message) : null;

    [Fact]
    public void A_pod_that_fits_is_admitted() => Assert.Null(Ask(Wants("cpu=1 memory=1Gi")));

    [Fact]
    public void Without_a_node_nothing_is_admitted() =>
        Assert.Equal(new AdmitResult.Rejected("InvalidNodeInfo", "Kubelet cannot get node info."), Chain.Admit(new AdmissionRequest(Wants(), null, [])));

    [Theory]
    [InlineData("cpu=1500m", "OutOfcpu", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000")]
    [InlineData("memory=3Gi", "OutOfmemory", "Node didn't have enough resource: memory, requested: 3221225472, used: 0, capacity: 2147483648")]
    [InlineData("ephemeral-storage=11Gi", "OutOfephemeral-storage", "Node didn't have enough resource: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240")]
    [InlineData("example.com/gpu=2", "OutOfexample.com/gpu", "Node didn't have enough resource: example.com/gpu, requested: 2, used: 0, capacity: 1")]
    public void Too_little_of_a_resource(string requests, string reason, string message) =>
        Assert.Equal((reason, message), Ask(Wants(requests), others: [Wants("cpu=1")]));

    [Fact]
    public void Extended_resources_the_node_does_not_have_are_not_its_matter() => Assert.Null(Ask(Wants("example.com/license=5")));

    [Fact]
    public void Too_many_pods() =>
        Assert.Equal(("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"), Ask(Wants(), others: [Wants(), Wants(), Wants()]));

    [Fact]
    public void A_node_selector_that_does_not_match() =>
        Assert.Equal(("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"),
            Ask(Wants() with { Spec = Wants().Spec with { NodeSelector = new Dictionary<string, string> { ["disk"] = "hdd" } } }));

    [Theory]
    [InlineData("disk", "In", "ssd,nvme", true)]
    [InlineData("disk", "NotIn", "ssd", false)]
    [InlineData("zone", "NotIn", "a", true)]
    [InlineData("cores", "Gt", "4", true)]
    [InlineData("cores", "Lt", "4", false)]
    [InlineData("zone", "Exists", "", false)]
    [InlineData("zone", "DoesNotExist", "", true)]
    public void Required_affinity(string key, string op, string values, bool fits)
    {
        NodeSelectorRequirement requirement = new() { Key = key, Operator = op, Values = values.Split(',', StringSplitOptions.RemoveEmptyEntries) };
        Affinity affinity = new() { NodeAffinity = new NodeAffinity { RequiredDuringSchedulingIgnoredDuringExecution = new NodeSelector { NodeSelectorTerms = [new NodeSelectorTerm { MatchExpressions = [requirement] }] } } };
        Assert.Equal(fits, Ask(Wants() with { Spec = Wants().Spec with { Affinity = affinity } }) is null);
    }

    [Fact]
    public void A_pod_of_another_node() =>
        Assert.Equal("NodeName", Ask(Wants() with { Spec = Wants().Spec with { NodeName = "n2" } })?.Reason);

    [Theory]
    [InlineData("", 80, "TCP", "", 80, "TCP", true)]
    [InlineData("127.0.0.1", 80, "TCP", "", 80, "TCP", true)]
    [InlineData("127.0.0.1", 80, "TCP", "10.0.0.1", 80, "TCP", false)]
    [InlineData("", 80, "TCP", "", 80, "UDP", false)]
    [InlineData("", 80, "TCP", "", 81, "TCP", false)]
    public void Host_ports(string ip, int port, string protocol, string takenIP, int takenPort, string takenProtocol, bool conflict)
    {
        static Pod Listens(string ip, int port, string protocol) => PodResourcesTests.PodOf(
            [new Container { Name = "a", Ports = [new ContainerPort { HostIP = ip, HostPort = port, Protocol = protocol, ContainerPortValue = 1 }] }]);
        Assert.Equal(conflict ? "NodePorts" : null, Ask(Listens(ip, port, protocol), others: [Listens(takenIP, takenPort, takenProtocol)])?.Reason);
    }

    [Fact]
    public void NoExecute_taints_reject_pods_without_toleration_but_never_static_ones()
    {
        Node tainted = Host with { Spec = new NodeSpec { Taints = [new Taint { Key = "k", Value = "v", Effect = "NoExecute" }, new Taint { Key = "x", Effect = "NoSchedule" }] } };
        Assert.Equal(("TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"), Ask(Wants(), tainted));
        Assert.Null(Ask(Wants() with { Spec = Wants().Spec with { Tolerations = [new Toleration { Key = "k", Operator = "Equal", Value = "v", Effect = "NoExecute" }] } }, tainted));
        Assert.Null(Ask(Wants() with { Spec = Wants().Spec with { Tolerations = [new Toleration { Operator = "Exists" }] } }, tainted));
        Assert.Null(Ask(Wants() with { Metadata = Wants().Metadata with { Annotations = new Dictionary<string, string> { ["kubernetes.io/config.source"] = "file" } } }, tainted));
    }

    [Theory]
    [InlineData("net.ipv4.tcp_syncookies", false, false, null)]
    [InlineData("net.ipv4.tcp_syncookies", true, false, "forbidden sysctl: \"net.ipv4.tcp_syncookies\" not allowed with host Net enabled")]
    [InlineData("kernel.msgmax", false, true, "forbidden sysctl: \"kernel.msgmax\" not allowed with host IPC enabled")]
    [InlineData("kernel.msgmax", false, false, null)]
    [InlineData("net/core/somaxconn", false, false, null)]
    [InlineData("vm.swappiness", false, false, "forbidden sysctl: \"vm.swappiness\" not allowlisted")]
    public void Sysctls(string name, bool hostNetwork, bool hostIpc, string? message)
    {
        Pod pod = Wants() with { Spec = Wants().Spec with { HostNetwork = hostNetwork, HostIPC = hostIpc, SecurityContext = new PodSecurityContext { Sysctls = [new Sysctl { Name = name, Value = "1" }] } } };
        Assert.Equal(message is null ? null : ("SysctlForbidden", message), Ask(pod));
    }

    [Fact]
    public void A_kernel_too_old_does_not_have_a_safe_sysctl() =>
        Assert.NotNull(new SysctlAllowlist("4.4.0", []).Refusal("net.ipv4.tcp_keepalive_time", false, false));

    [Fact]
    public void A_pattern_that_is_not_namespaced_is_refused() => Assert.Throws<ArgumentException>(() => new SysctlAllowlist("6.1", ["vm.*"]));

    [Fact]
    public void Pressure_rejects_best_effort_pods_and_any_but_memory_pressure_rejects_all()
    {
        Assert.Equal(("Evicted", "The node had condition: [MemoryPressure]. "), Ask(Wants(), pressures: ["MemoryPressure"]));
        Assert.Null(Ask(Wants("cpu=1"), pressures: ["MemoryPressure"]));
        Assert.Equal("Evicted", Ask(Wants("cpu=1"), pressures: ["DiskPressure", "MemoryPressure"])?.Reason);
        Assert.Null(Ask(Wants() with { Spec = Wants().Spec with { Priority = 2_000_000_000 } }, pressures: ["DiskPressure"]));
    }

    [Fact]
    public void A_node_that_shuts_down_takes_nothing() =>
        Assert.Equal(("NodeShutdown", "Pod was rejected as the node is shutting down."), Ask(Wants(), shutdown: true));

    [Fact]
    public void Another_operating_system() =>
        Assert.Equal("PodOSNotSupported", Ask(Wants() with { Spec = Wants().Spec with { Os = new PodOS { Name = "windows" } } })?.Reason);
}
