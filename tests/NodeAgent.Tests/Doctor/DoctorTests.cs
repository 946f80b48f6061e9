using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using NodeAgent.Doctor;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Linux.Cgroups;
using NodeAgent.NodeAgent.Tests.Hosting;

namespace NodeAgent.NodeAgent.Tests.Doctor;

public sealed class DoctorTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("node-agent-host-").FullName;
    private readonly HostFiles host;

    public DoctorTests() => host = new HostFiles(root);

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData("6.1.0-18-cloud-amd64", FindingLevel.Ok)]
    [InlineData("5.4.0", FindingLevel.Warn)]
    [InlineData("", FindingLevel.Fail)]
    internal void The_kernel_is_judged_by_its_release(string release, FindingLevel level)
    {
        Write("proc/sys/kernel/osrelease", release);
        Assert.Equal(level, HostChecks.Kernel(host).Max(f => f.Level));
    }

    [Fact]
    public void A_host_without_cgroups_fails_with_the_remedy() =>
        Assert.Contains("mount cgroup2", Assert.Single(HostChecks.Cgroups(host, null, new KubeletConfiguration())).ToString(), StringComparison.Ordinal);

    [Fact]
    public void A_missing_controller_and_a_driver_without_systemd_fail()
    {
        Write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids");
        CgroupMounts mounts = new(CgroupVersion.V2, ImmutableSortedDictionary<string, string>.Empty.Add("", "/sys/fs/cgroup"));
        Finding[] findings = [.. HostChecks.Cgroups(host, mounts, new KubeletConfiguration { CgroupDriver = "systemd" })];
        Assert.All(findings, f => Assert.Equal(FindingLevel.Fail, f.Level));
        Assert.Contains("memory", findings[0].Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://127.0.0.1:1", "127.0.0.1:1")]
    [InlineData("", "server")]
    public async Task An_API_server_that_cannot_be_reached_or_is_not_named_fails_with_a_remedy(string server, string named)
    {
        Write("etc/kubernetes/kubelet.conf", $$"""
            {"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":"{{server}}"} }],
             "users":[{"name":"u","user":{} }],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"} }]}
            """);
        Finding finding = Assert.Single(await ClusterChecks.ApiServerAsync(host, new KubeletFlags { Kubeconfig = "/etc/kubernetes/kubelet.conf" }, TimeProvider.System, default));
        Assert.Equal(FindingLevel.Fail, finding.Level);
        Assert.Contains(named, finding.Message, StringComparison.Ordinal);
        Assert.NotEmpty(finding.Remedy);
    }

    [Fact]
    public void A_manifest_of_more_than_ten_mebibytes_is_named()
    {
        Write("etc/kubernetes/manifests/small.yaml", "a: b");
        Write("etc/kubernetes/manifests/huge.yaml", new string('x', (10 << 20) + 1));
        Finding finding = Assert.Single(ClusterChecks.StaticPods(host, new KubeletConfiguration { StaticPodPath = "/etc/kubernetes/manifests" }));
        Assert.Equal(FindingLevel.Warn, finding.Level);
        Assert.Contains("huge.yaml", finding.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", FindingLevel.Fail)]
    [InlineData("""{"name":"n","plugins":[{"type":"bridge"},{"type":"portmap"}]}""", FindingLevel.Fail)]
    [InlineData("""{"name":"n","plugins":[{"type":"bridge"}]}""", FindingLevel.Ok)]
    [InlineData("""{"name":"n","type":"bridge"}""", FindingLevel.Ok)]
    internal void Network_plugins_must_be_there(string configuration, FindingLevel level)
    {
        Write("opt/cni/bin/bridge", "");
        if (configuration.Length > 0)
            Write("etc/cni/net.d/10-net.conflist", configuration);
        Assert.Equal(level, NodeChecks.NetworkPlugins(host).Max(f => f.Level));
    }

    [Theory]
    [InlineData(-10, -1, FindingLevel.Fail)]
    [InlineData(1, 10, FindingLevel.Fail)]
    [InlineData(-1, 0.5, FindingLevel.Warn)]
    [InlineData(-1, 300, FindingLevel.Ok)]
    internal void The_client_certificate_must_be_valid_now(double fromDays, double toDays, FindingLevel level)
    {
        ManualTime time = new();
        using ECDsa key = ECDsa.Create();
        using X509Certificate2 certificate = new CertificateRequest("CN=system:node:a, O=system:nodes", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(time.GetUtcNow().AddDays(fromDays), time.GetUtcNow().AddDays(toDays));
        string data = Convert.ToBase64String(Encoding.UTF8.GetBytes(certificate.ExportCertificatePem()));
        Write("etc/kubernetes/kubelet.conf", $"users: [{{name: a, user: {{client-certificate-data: {data}}}}}]");
        Finding finding = Assert.Single(NodeChecks.Kubeconfig(host, new KubeletFlags { Kubeconfig = "/etc/kubernetes/kubelet.conf" }, time));
        Assert.Equal(level, finding.Level);
    }

    [Fact]
    public void Without_kubeconfig_a_bootstrap_file_is_enough()
    {
        KubeletFlags flags = new() { Kubeconfig = "/a", BootstrapKubeconfig = "/b" };
        Assert.Equal(FindingLevel.Fail, Assert.Single(NodeChecks.Kubeconfig(host, flags, TimeProvider.System)).Level);
        Write("b", "x");
        Assert.Equal(FindingLevel.Ok, Assert.Single(NodeChecks.Kubeconfig(host, flags, TimeProvider.System)).Level);
    }

    [Fact]
    public async Task A_runtime_that_does_not_answer_fails_with_its_reason()
    {
        Finding finding = await NodeChecks.RuntimeAsync("unix:///x", (_, _) => throw new IOException("no such socket"), CancellationToken.None);
        Assert.Equal((FindingLevel.Fail, "no such socket"), (finding.Level, finding.Message));
        Assert.Contains("unix:///x", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Ports_in_use_are_read_from_the_kernels_table() =>
        Assert.Equal([10250], NodeChecks.ListeningPorts("sl\n 0: 00000000:280A 00000000:0000 0A x\n 1: 0100007F:1F90 00000000:0000 01 x\n"));

    [Fact]
    public void Kernel_parameters_fail_only_where_the_kubelet_may_not_set_them()
    {
        Write("proc/sys/net/ipv4/ip_forward", "1\n");
        Write("proc/sys/net/bridge/bridge-nf-call-iptables", "1");
        Write("proc/sys/vm/overcommit_memory", "0");
        Assert.Equal(FindingLevel.Ok, HostChecks.KernelParameters(host, new KubeletConfiguration()).Max(f => f.Level));
        Assert.Equal(FindingLevel.Fail, HostChecks.KernelParameters(host, new KubeletConfiguration { ProtectKernelDefaults = true }).Max(f => f.Level));
    }

    private void Write(string name, string text)
    {
        string file = Path.Combine(root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
