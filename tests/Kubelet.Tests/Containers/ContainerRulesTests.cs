using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubernetes.Objects;
using Container = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class ContainerRulesTests
{
    [Theory]
    [InlineData("test_container", "foo/image:v1", "8e45cbd0")]
    [InlineData("nginx", "nginx:1.27", "91edee8f")]
    [InlineData("coredns", "registry.k8s.io/coredns/coredns:v1.12.0", "eafd092d")]
    public void The_container_hash_is_upstreams(string name, string image, string hash) => Assert.Equal(hash, ContainerHash.Compute(name, image).ToString("x"));

    [Theory]
    [InlineData("$(A)", "1")]
    [InlineData("x$(A)y$(B)z", "x1y2z")]
    [InlineData("$$(A)", "$(A)")]
    [InlineData("$$$(A)", "$1")]
    [InlineData("$(UNKNOWN)", "$(UNKNOWN)")]
    [InlineData("$(A", "$(A")]
    [InlineData("$", "$")]
    [InlineData("a$b", "a$b")]
    [InlineData("$(A)$", "1$")]
    [InlineData("", "")]
    public void References_are_expanded_as_upstream_does(string text, string expected) =>
        Assert.Equal(expected, VariableExpansion.Expand(text, n => n switch { "A" => "1", "B" => "2", _ => null }));

    [Theory]
    [InlineData("0", 999)]
    [InlineData("4Mi", 999)]
    [InlineData("1Gi", 875)]
    [InlineData("8Gi", 3)]
    public void A_burstable_containers_oom_score_falls_with_its_request(string request, int score)
    {
        Pod pod = With(new Container
        {
            Name = "main",
            Resources = new ResourceRequirements { Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse(request), ["cpu"] = Quantity.Parse("1m") } },
        });
        Assert.Equal(score, ContainerResourcesBuilder.OomScore(pod, pod.Spec.Containers[0], 8L << 30));
    }

    [Fact]
    public void BestEffort_goes_first_and_Guaranteed_last()
    {
        Pod bestEffort = With(new Container { Name = "main" });
        var all = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse("1Gi"), ["cpu"] = Quantity.Parse("1") };
        Pod guaranteed = With(new Container { Name = "main", Resources = new ResourceRequirements { Requests = all, Limits = all } });
        Assert.Equal(1000, ContainerResourcesBuilder.OomScore(bestEffort, bestEffort.Spec.Containers[0], 8L << 30));
        Assert.Equal(-997, ContainerResourcesBuilder.OomScore(guaranteed, guaranteed.Spec.Containers[0], 8L << 30));
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    [InlineData(100, 102)]
    [InlineData(250, 256)]
    [InlineData(1000, 1024)]
    [InlineData(4000, 4096)]
    public void Thousandths_of_a_cpu_become_shares(long milli, long shares) => Assert.Equal(shares, ContainerResourcesBuilder.Shares(milli));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1000)]
    [InlineData(500, 50_000)]
    [InlineData(2000, 200_000)]
    public void A_cpu_limit_becomes_a_quota(long milli, long quota) => Assert.Equal(quota, ContainerResourcesBuilder.Quota(milli, 100_000));

    [Fact]
    public void A_container_that_asks_for_no_AppArmor_profile_gets_none() => Assert.Null(Security(new SecurityContext()).Apparmor);

    [Fact]
    public void The_containers_values_come_before_the_pods()
    {
        LinuxContainerSecurityContext context = Security(
            new SecurityContext { RunAsUser = 5, Capabilities = new Capabilities { Add = ["NET_ADMIN"], Drop = ["ALL"] }, AllowPrivilegeEscalation = false },
            new PodSecurityContext { RunAsUser = 7, RunAsGroup = 8, FsGroup = 9, SupplementalGroups = [10], SupplementalGroupsPolicy = "Strict" });
        Assert.Equal(5, context.RunAsUser.Value);
        Assert.Equal(8, context.RunAsGroup.Value);
        Assert.Equal([9L, 10L], context.SupplementalGroups);
        Assert.Equal(SupplementalGroupsPolicy.Strict, context.SupplementalGroupsPolicy);
        Assert.Equal(["NET_ADMIN"], context.Capabilities.AddCapabilities);
        Assert.Equal(["ALL"], context.Capabilities.DropCapabilities);
        Assert.True(context.NoNewPrivs);
    }

    [Theory]
    [InlineData(0L, null, "", "container's runAsUser breaks non-root policy (pod: \"web_default(uid-web)\", container: main)")]
    [InlineData(null, 0L, "", "container has runAsNonRoot and image will run as root (pod: \"web_default(uid-web)\", container: main)")]
    [InlineData(null, null, "daemon", "container has runAsNonRoot and image has non-numeric user (daemon), cannot verify user is non-root (pod: \"web_default(uid-web)\", container: main)")]
    [InlineData(null, null, "", "container has runAsNonRoot and image will run as root (pod: \"web_default(uid-web)\", container: main)")]
    public void runAsNonRoot_is_checked_against_spec_and_image(long? user, long? imageUid, string imageUser, string message)
    {
        var image = new Image { Username = imageUser, Uid = imageUid is { } u ? new Int64Value { Value = u } : null };
        ContainerConfigException e = Assert.Throws<ContainerConfigException>(() => Security(new SecurityContext { RunAsNonRoot = true, RunAsUser = user }, image: image));
        Assert.Equal(message, e.Message);
    }

    [Theory]
    [InlineData("../passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("a/../../x")]
    [InlineData("")]
    public void A_localhost_seccomp_profile_stays_below_its_folder(string profile) => Assert.Throws<ContainerConfigException>(
        () => Security(new SecurityContext { SeccompProfile = new SeccompProfile { Type = "Localhost", LocalhostProfile = profile } }));

    [Fact]
    public void The_hosts_file_is_upstreams_to_the_letter()
    {
        Pod pod = TestPods.Pod() is var p ? p with { Spec = p.Spec with { HostAliases = [new HostAlias { Ip = "1.2.3.4", Hostnames = ["a", "b.c"] }] } } : null!;
        Assert.Equal(
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\n"
            + "fe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n10.0.0.2\tweb.sub.default.svc.cluster.local\tweb\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb.c\n",
            HostsFile.Build(pod, ["10.0.0.2"], "web", "sub.default.svc.cluster.local", null));
    }

    private static LinuxContainerSecurityContext Security(SecurityContext own, PodSecurityContext? all = null, Image? image = null)
    {
        Pod pod = With(new Container { Name = "main", SecurityContext = own });
        pod = pod with { Spec = pod.Spec with { SecurityContext = all } };
        return SecurityContextBuilder.Build(pod, pod.Spec.Containers[0], image ?? new Image(), "/var/lib/kubelet/seccomp", false, PodSandboxConfigBuilder.Namespaces(pod, UserNamespaces.OfNode, null));
    }

    private static Pod With(Container container) => TestPods.Pod() is var p ? p with { Spec = p.Spec with { Containers = [container] } } : null!;

    [Theory]
    [InlineData("SIGTERM", Cri.V1.Signal.Sigterm)]
    [InlineData("SIGRTMIN+1", Cri.V1.Signal.Sigrtminplus1)]
    [InlineData("SIGRTMAX-2", Cri.V1.Signal.Sigrtmaxminus2)]
    public void A_stop_signal_has_a_name_on_both_sides(string name, Cri.V1.Signal signal)
    {
        Assert.Equal(signal, StopSignals.Parse(name));
        Assert.Equal(name, StopSignals.Name(signal));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("SIGNOTHING")]
    [InlineData("99")]
    public void What_is_no_signal_is_left_to_the_runtime(string? name) => Assert.Equal(Cri.V1.Signal.RuntimeDefault, StopSignals.Parse(name));
}
