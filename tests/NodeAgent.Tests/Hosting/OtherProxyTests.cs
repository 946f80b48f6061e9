using NodeAgent.Hosting;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class OtherProxyTests : IDisposable
{
    private readonly string proc = Directory.CreateTempSubdirectory("node-agent-proc-").FullName;

    public void Dispose() => Directory.Delete(proc, recursive: true);

    [Theory]
    [InlineData("/usr/local/bin/kube-proxy\0--config=x\0", true)]
    [InlineData("/usr/bin/node-agent\0kube-proxy\0", true)]
    [InlineData("/usr/bin/node-agent\0kubelet\0", false)]
    [InlineData("vim\0kube-proxy\0", false)]
    public void A_process_is_known_by_its_name(string commandLine, bool found)
    {
        Write("4242/cmdline", commandLine);
        Assert.Equal(found, new OtherProxy(proc).Find() is not null);
    }

    [Theory]
    [InlineData("00000000:2810 00000000:0000 0A", true)]
    [InlineData("00000000:2810 00000000:0000 01", false)]
    [InlineData("00000000:2811 00000000:0000 0A", false)]
    public void A_listening_health_port_is_one(string line, bool found)
    {
        Write("net/tcp", $"  sl  local_address rem_address   st\n   0: {line} 00000000\n");
        Assert.Equal(found, new OtherProxy(proc).Find() is not null);
    }

    private void Write(string name, string text)
    {
        string file = Path.Combine(proc, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
