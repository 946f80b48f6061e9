using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Proxiers;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>The xtables lock of the legacy programs in other hands, as of a firewall that reloads for long.</summary>
public sealed class HeldLockTests
{
    [LegacyIptablesFact]
    public async Task A_pass_that_does_not_get_the_lock_fails_with_its_name_and_the_next_one_programs_everything()
    {
        using var net = new NodeNetwork("iptables-legacy");
        string file = Path.Combine(Path.GetTempPath(), $"xtables-{Environment.ProcessId}.lock");
        IptablesCommands iptables = new(IPFamily.IPv4, TimeSpan.FromMinutes(2), "legacy") { Through = ["ip", "netns", "exec", net.Node.Name, "env", "XTABLES_LOCKFILE=" + file] };
        IptablesProxier proxier = new(net.State, net.Options, iptables, "node1", TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<IptablesProxier>.Instance);
        List<ProxyPass> passes = [];
        proxier.Passed += passes.Add;
        net.Service();
        net.Endpoints(local: true, remote: false);
        try
        {
            // .NET's exclusive share is flock(2), the same that the programs take.
            using (FileStream held = new(file, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            {
                Assert.False(await proxier.SyncAsync(default));
                Assert.Contains("xtables lock", Assert.Single(passes).Error, StringComparison.Ordinal);
                Assert.Null(await iptables.HasChainAsync("nat", "KUBE-SERVICES", default));
                Task<bool> supported = iptables.IsSupportedAsync(default);
                Assert.False(supported.IsCompleted);
                held.Close();
                Assert.True(await supported);
            }

            Assert.True(await proxier.SyncAsync(default));
            Assert.True(passes[^1].Full);
            Assert.Contains("local sees", await net.Client.AskTcpAsync(NodeNetwork.VirtualIP, 80), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class LegacyIptablesFactAttribute : FactAttribute
    {
        public LegacyIptablesFactAttribute() => Skip = Environment.UserName != "root" ? "needs root: makes network namespaces"
            : File.Exists("/usr/sbin/iptables-legacy") ? null : "needs iptables-legacy of the iptables package";
    }
}
