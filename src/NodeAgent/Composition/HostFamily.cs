using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Kernel.Iptables;
using NodeAgent.Proxy.Kernel.Nftables;
using NodeAgent.Proxy.Kernel.Sysctls;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Composition;

/// <summary>What the host can do of an address family.</summary>
/// <param name="Family">The family.</param>
/// <param name="Refusal">Why no rules can be made for it; null where they can.</param>
/// <param name="Iptables">What its iptables can do; null in nftables mode and where it is refused.</param>
internal sealed record HostFamily(IPFamily Family, string? Refusal, IptablesAbilities? Iptables)
{
    /// <summary>The longest run of an iptables program.</summary>
    public static readonly TimeSpan IptablesLimit = TimeSpan.FromMinutes(5);

    /// <summary>Looks at all families side by side; nothing of the API server is needed for it.</summary>
    /// <exception cref="IptablesException">The program is too old, or others hold its lock for long.</exception>
    public static Task<HostFamily[]> LookAsync(string mode, CancellationToken cancellationToken) =>
        Task.WhenAll(Enum.GetValues<IPFamily>().Select(family => LookAsync(family, mode == "nftables", cancellationToken)));

    private static async Task<HostFamily> LookAsync(IPFamily family, bool nftables, CancellationToken cancellationToken)
    {
        if (family == IPFamily.IPv6 && !HasIPv6())
        {
            return new HostFamily(family, "it is switched off on this host", null);
        }

        if (nftables)
        {
            using var kernel = new NftKernel(family, () => NetlinkSocket.Open());
            return new HostFamily(family, kernel.Refusal() is null ? null : "the rules of mode nftables are not to be had for it", null);
        }

        var iptables = new IptablesCommands(family, IptablesLimit);
        return await iptables.IsSupportedAsync(cancellationToken)
            ? new HostFamily(family, null, await iptables.ProbeAsync(cancellationToken))
            : new HostFamily(family, "the rules of mode iptables are not to be had for it", null);
    }

    private static bool HasIPv6() => File.Exists("/proc/net/if_inet6") && new KernelSettings().Read("proc/sys/net/ipv6/conf/all/disable_ipv6") != 1;
}
