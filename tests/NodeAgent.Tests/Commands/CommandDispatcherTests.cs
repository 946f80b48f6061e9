using NodeAgent.Commands;
using NodeAgent.Hosting;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.NodeAgent.Tests.Commands;

public sealed class CommandDispatcherTests
{
    [Theory]
    [InlineData("kubelet", "--version")]
    [InlineData("kube-proxy", "--version=true")]
    [InlineData("node-agent", "kubelet --version")]
    public async Task The_version_is_what_kubeadm_parses(string executable, string arguments)
    {
        (int code, string output, _) = await RunAsync(executable, arguments);
        Assert.Equal(0, code);
        Assert.Matches(@"^Kubernetes v1\.36\.\d+\n$", output);
    }

    [Theory]
    [InlineData("kubelet --version=raw", "version.Info{Major:\"1\", Minor:\"36\"")]
    [InlineData("kubelet --help", "--config ")]
    [InlineData("version", "node-agent ")]
    [InlineData("help", "node-agent doctor")]
    public async Task Asking_answers_on_standard_output_and_ends_well(string arguments, string part)
    {
        (int code, string output, _) = await RunAsync("node-agent", arguments);
        Assert.Equal(0, code);
        Assert.Contains(part, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("node-agent", "kublet", "did you mean kubelet?")]
    [InlineData("node-agent", "", "Usage:")]
    [InlineData("kubelet", "--max-pod=1 --ports=2", "did you mean --max-pods?")]
    [InlineData("kubelet", "--config=/nowhere/c.yaml", "/nowhere/c.yaml: cannot be read")]
    [InlineData("kube-proxy", "--proxy-mode=userspace", "mode: \"userspace\" is no proxy mode")]
    [InlineData("node-agent", "run --fail-cgroupv1=false -- --proxy-mode=x", "kube-proxy half")]
    public async Task A_mistake_ends_with_1_and_a_remedy(string executable, string arguments, string part)
    {
        (int code, _, string error) = await RunAsync(executable, arguments);
        Assert.Equal(1, code);
        Assert.Contains(part, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_effective_configuration_of_the_proxy_is_written()
    {
        string file = Path.GetTempFileName();
        try
        {
            (int code, _, _) = await RunAsync("kube-proxy", $"--cluster-cidr=10.0.0.0/8 --write-config-to={file}");
            Assert.Equal(0, code);
            string text = await File.ReadAllTextAsync(file);
            Assert.Contains("\"clusterCIDR\":\"10.0.0.0/8\"", text, StringComparison.Ordinal);
            Assert.Contains("\"kind\":\"KubeProxyConfiguration\"", text, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string executable, string arguments)
    {
        using StringWriter output = new(), error = new();
        int code = await CommandDispatcher.RunAsync(executable, arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            new CommandContext(output, error, TimeProvider.System, new NoFaces()));
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Nothing here may get as far as starting a half.</summary>
    private sealed class NoFaces : IFaceFactory
    {
        public IAgentFace CreateKubelet(LoadedKubeletConfiguration configuration, FaceServices services) => throw new InvalidOperationException("a test started a kubelet");

        public IAgentFace CreateProxy(LoadedKubeProxyConfiguration configuration, FaceServices services) => throw new InvalidOperationException("a test started a proxy");
    }
}
