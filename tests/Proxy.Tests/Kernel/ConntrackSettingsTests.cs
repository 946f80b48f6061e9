using NodeAgent.Proxy.Configuration;
using NodeAgent.Proxy.Kernel.Sysctls;

namespace NodeAgent.Proxy.Tests.Kernel;

/// <summary>Connection tracking on a host that has not loaded it yet.</summary>
public sealed class ConntrackSettingsTests : IDisposable
{
    private const string File = "proc/sys/net/netfilter/nf_conntrack_max";
    private readonly string _root = Directory.CreateTempSubdirectory("conntrack").FullName;
    private readonly List<string> _loaded = [];
    private readonly IReadOnlyList<KernelSetting> _plan = ConntrackSettings.Plan(new KubeProxyConfiguration { ConntrackMaxPerCore = 32768 }, 2);

    [Fact]
    public async Task Settings_that_are_not_there_are_there_once_the_module_is_loaded()
    {
        Assert.Null(await ConntrackSettings.AppearAsync(_plan, new KernelSettings(_root), module =>
        {
            _loaded.Add(module);
            Make();
            return Task.FromResult<string?>(null);
        }));
        Assert.Equal(["nf_conntrack"], _loaded);
    }

    [Fact]
    public async Task Nothing_is_loaded_where_they_are_there_or_none_is_wanted()
    {
        Assert.Null(await ConntrackSettings.AppearAsync([], new KernelSettings(_root), Refuse));
        Make();
        Assert.Null(await ConntrackSettings.AppearAsync(_plan, new KernelSettings(_root), Refuse));
        Assert.Empty(_loaded);
    }

    [Fact]
    public async Task What_cannot_be_loaded_is_told_with_field_reason_and_remedy()
    {
        string? refusal = await ConntrackSettings.AppearAsync(_plan, new KernelSettings(_root), Refuse);
        Assert.Contains("conntrack.maxPerCore", refusal, StringComparison.Ordinal);
        Assert.Contains("not in this kernel", refusal, StringComparison.Ordinal);
        Assert.Contains("set conntrack.maxPerCore to 0", refusal, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private Task<string?> Refuse(string module)
    {
        _loaded.Add(module);
        return Task.FromResult<string?>("not in this kernel");
    }

    private void Make()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_root, File))!);
        System.IO.File.WriteAllText(Path.Combine(_root, File), "1000\n");
    }
}
