using System.Text;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Iptables;

/// <summary>Takes away everything that iptables mode made (--cleanup). Source: pkg/proxy/iptables/proxier.go (CleanupLeftovers).</summary>
public static class IptablesCleanup
{
    private static readonly string[] FilterChains =
        ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL", "KUBE-PROXY-CANARY"];

    private static readonly string[] NatChains = ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"];

    /// <summary>Removes jumps, then chains, in one transaction for each table. KUBE-FIREWALL stays: the kubelet half shares it.</summary>
    public static async Task RunAsync(IIptablesCommands iptables, IPFamily family, CancellationToken cancellationToken)
    {
        IptablesObserved observed = IptablesObserved.Parse(await iptables.SaveAsync(null, cancellationToken));
        string input = Render(observed, family);
        if (input.Length > 0)
        {
            await iptables.RestoreAsync(input, cancellationToken);
        }
    }

    /// <summary>The input for iptables-restore; "" where nothing is left.</summary>
    internal static string Render(IptablesObserved observed, IPFamily family)
    {
        var text = new StringBuilder();
        IReadOnlyList<JumpRule> jumps = IptablesStaticRules.Jumps(new IptablesOptions { Family = family });
        Table(text, "filter", observed, jumps, FilterChains);
        Table(text, "nat", observed, jumps, [.. NatChains, .. observed.ServiceChains]);
        Table(text, "mangle", observed, [], ["KUBE-PROXY-CANARY"]);
        return text.ToString();
    }

    private static void Table(StringBuilder text, string table, IptablesObserved observed, IReadOnlyList<JumpRule> jumps, string[] chains)
    {
        string[] there = [.. chains.Where(c => observed.HasChain(table, c))];
        JumpRule[] present = [.. jumps.Where(j => j.Table == table && observed.HasRule(table, j.From, j.Rule))];
        if (there.Length + present.Length == 0)
        {
            return;
        }

        text.Append('*').Append(table).Append('\n');
        foreach (string chain in there)
        {
            text.Append(':').Append(chain).Append(" - [0:0]\n");
        }

        foreach (JumpRule jump in present)
        {
            text.Append("-D ").Append(jump.From).Append(' ').Append(jump.Rule).Append('\n');
        }

        foreach (string chain in there)
        {
            text.Append("-X ").Append(chain).Append('\n');
        }

        text.Append("COMMIT\n");
    }
}
