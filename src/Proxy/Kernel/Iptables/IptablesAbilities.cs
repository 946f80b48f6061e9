using System.Text.RegularExpressions;

namespace NodeAgent.Proxy.Kernel.Iptables;

/// <summary>What the host's iptables and kernel can do.</summary>
/// <param name="Recent">Match "recent" (session affinity).</param>
/// <param name="Statistic">Match "statistic" (balancing over endpoints).</param>
/// <param name="RandomFully">MASQUERADE --random-fully.</param>
/// <param name="Bpf">Match "bpf" with a program in the rule (endpoints without chains of their own).</param>
/// <param name="Accounting">Match "nfacct" (packets counted for metrics); asked for apart, once the counters are there.</param>
public sealed partial record IptablesAbilities(bool Recent, bool Statistic, bool RandomFully, bool Bpf, bool Accounting)
{
    private static readonly Version Oldest = new(1, 6, 2);

    /// <summary>Checks the output of iptables --version; older ones than 1.6.2 cannot wait for the lock in iptables-restore.</summary>
    /// <exception cref="IptablesException">Too old, or not to be read.</exception>
    internal static void RequireVersion(string output)
    {
        if (!Version.TryParse(VersionPattern().Match(output).Groups[1].Value, out Version? version))
        {
            throw new IptablesException($"the version of iptables cannot be read from \"{output.Trim()}\"", 1);
        }

        if (version < Oldest)
        {
            throw new IptablesException($"iptables {version} is too old; install {Oldest} or newer", 1);
        }
    }

    [GeneratedRegex(@"v([0-9]+(?:\.[0-9]+)+)")]
    private static partial Regex VersionPattern();
}
