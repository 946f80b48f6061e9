using System.Text.Json;
using System.Text.RegularExpressions;

namespace NodeAgent.Harness.Host;

/// <summary>
/// What a node changes of the host's network and kernel settings: remembered before, in a file, and put back after, also by another run.
/// </summary>
public sealed partial class HostNetwork(HarnessOptions options)
{
    private static readonly string[] Settings =
    [
        "net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables", "net/ipv4/conf/all/route_localnet",
        "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_tcp_timeout_established", "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
        "net/netfilter/nf_conntrack_tcp_be_liberal", "vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
        "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
    ];

    [GeneratedRegex(@"^:((?:KUBE|CNI)-\S+) ", RegexOptions.CultureInvariant)]
    private static partial Regex OwnChain();

    private string Memory => Path.Combine(options.Folder, "host-before.json");

    /// <summary>Why a node of ours may not be set up beside what runs on this host; null when it may.</summary>
    public static async Task<string?> OccupiedAsync()
    {
        ToolAnswer rules = await Tool.MustAsync("iptables-save");
        return rules.Output.Contains(":KUBE-SERVICES ", StringComparison.Ordinal)
            ? "another kube-proxy has programmed this host (chain KUBE-SERVICES exists); two of them would undo each other's rules: "
              + "stop it and run kube-proxy --cleanup, or use another machine"
            : null;
    }

    /// <summary>Remembers what is, lets the host forward, and keeps cluster addresses from leaving it.</summary>
    public async Task PrepareAsync()
    {
        Dictionary<string, string> before = Settings.Where(name => File.Exists("/proc/sys/" + name))
            .ToDictionary(name => name, name => File.ReadAllText("/proc/sys/" + name).Trim());
        File.WriteAllText(Memory, JsonSerializer.Serialize(before));
        await Tool.RunAsync("modprobe", ["br_netfilter"]).ContinueWith(_ => { }, TaskScheduler.Default);
        Set("net/ipv4/ip_forward", "1");
        if (File.Exists("/proc/sys/net/bridge/bridge-nf-call-iptables")) Set("net/bridge/bridge-nf-call-iptables", "1");
        await Tool.MustAsync("ip", "route", "replace", "blackhole", options.PodRange);
        // A black hole would refuse connect() on the host before the rules see the packet, and loopback would lose a rule's refusal: what
        // no rule takes ends on the pods' bridge, which nobody answers on. The bridge plugin takes the bridge as it finds it.
        if (!LinkExists(options.Prefix)) await Tool.MustAsync("ip", "link", "add", options.Prefix, "type", "bridge");
        await Tool.MustAsync("ip", "link", "set", options.Prefix, "up");
        await Tool.MustAsync("ip", "route", "replace", options.ServiceRange, "dev", options.Prefix, "src", Ports.OwnAddress().ToString());
    }

    /// <summary>Puts routes, bridge, chains and settings back.</summary>
    public async Task RestoreAsync()
    {
        await Tool.RunAsync("ip", ["route", "del", "blackhole", options.PodRange]);
        await Tool.RunAsync("ip", ["link", "del", options.Prefix]);
        foreach (string family in new[] { "iptables", "ip6tables" })
            await RemoveChainsAsync(family);
        foreach (string range in new[] { options.ServiceRange, options.PodRange })
        {
            await Tool.RunAsync("conntrack", ["-D", "-d", range]);
            await Tool.RunAsync("conntrack", ["-D", "-s", range]);
        }
        string results = "/var/lib/cni/results";
        if (Directory.Exists(results))
        {
            foreach (string file in Directory.EnumerateFiles(results, options.Prefix + "-*"))
                File.Delete(file);
        }
        if (!File.Exists(Memory)) return;
        foreach ((string name, string value) in JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(Memory))!)
        {
            if (File.Exists("/proc/sys/" + name) && File.ReadAllText("/proc/sys/" + name).Trim() != value) Set(name, value);
        }
    }

    // Not /sys/class/net: that shows the network namespace of whoever mounted it.
    internal static bool LinkExists(string name) => File.ReadLines("/proc/self/net/dev").Any(line => line.TrimStart().StartsWith(name + ":", StringComparison.Ordinal));

    /// <summary>Rules and chains that name our networks or carry a node's chain names.</summary>
    public async Task<IReadOnlyList<string>> RulesLeftAsync()
    {
        List<string> left = [];
        foreach (string family in new[] { "iptables", "ip6tables" })
        {
            ToolAnswer saved = await Tool.RunAsync(family + "-save", []);
            left.AddRange(saved.Lines.Where(line => line.Contains("KUBE-", StringComparison.Ordinal) || line.Contains("CNI-", StringComparison.Ordinal)
                || line.Contains($"10.{options.PodNetwork}.", StringComparison.Ordinal)
                || line.Contains($"10.{options.ServiceNetwork}.", StringComparison.Ordinal)).Select(line => $"{family}: {line}"));
        }
        return left;
    }

    // The kubelet's own chains (KUBE-FIREWALL, canaries) and portmap's stay after their owners by design: they go with the harness, which
    // started only because none were there before.
    private static async Task RemoveChainsAsync(string family)
    {
        foreach (string table in new[] { "nat", "filter", "mangle", "raw" })
        {
            ToolAnswer saved = await Tool.RunAsync(family + "-save", ["-t", table]);
            string[] chains = [.. saved.Lines.Select(line => OwnChain().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value)];
            if (chains.Length == 0) continue;
            IEnumerable<string> jumps = saved.Lines.Where(line => line.StartsWith("-A ", StringComparison.Ordinal)
                && (line.Contains(" -j KUBE-", StringComparison.Ordinal) || line.Contains(" -j CNI-", StringComparison.Ordinal))).Select(line => "-D" + line[2..]);
            string input = $"*{table}\n{string.Concat(jumps.Select(rule => rule + "\n"))}{string.Concat(chains.Select(chain => $"-F {chain}\n"))}"
                + $"{string.Concat(chains.Select(chain => $"-X {chain}\n"))}COMMIT\n";
            await Tool.RunAsync(family + "-restore", ["--noflush"], input);
        }
    }

    private static void Set(string name, string value) => File.WriteAllText("/proc/sys/" + name, value);
}
