using NodeAgent.Cri.V1;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sandboxes;

/// <summary>What the node gives pods for name resolution.</summary>
/// <param name="ClusterDns">clusterDNS.</param>
/// <param name="ClusterDomain">clusterDomain.</param>
/// <param name="ResolvConf">resolvConf; "" = none.</param>
public sealed record DnsOptions(IReadOnlyList<string> ClusterDns, string ClusterDomain, string ResolvConf);

/// <summary>The pod's resolv.conf and what was left out of it. Source: pkg/kubelet/network/dns/dns.go.</summary>
/// <param name="Config">For the sandbox; null = the runtime's default.</param>
/// <param name="Warnings">Texts for DNSConfigForming events.</param>
/// <param name="MissingClusterDns">ClusterFirst was asked for and no clusterDNS is configured.</param>
internal sealed record PodDns(DNSConfig Config, IReadOnlyList<string> Warnings, bool MissingClusterDns);

/// <summary>Builds a pod's DNS configuration. Pure.</summary>
internal static class DnsConfigBuilder
{
    private const int MostServers = 3;
    private const int MostSearches = 32;
    private const int LongestSearchLine = 2048;

    /// <param name="pod">The pod.</param>
    /// <param name="options">The node's.</param>
    /// <param name="hostFile">Content of resolvConf.</param>
    public static PodDns Build(Pod pod, DnsOptions options, string hostFile)
    {
        var host = Parse(hostFile);
        string policy = pod.Spec.DnsPolicy ?? "ClusterFirst";
        bool cluster = policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && pod.Spec.HostNetwork != true);
        bool missing = cluster && options.ClusterDns.Count == 0;
        List<string> servers = [], searches = [], settings = [];
        if (cluster && !missing)
        {
            servers.AddRange(options.ClusterDns);
            if (options.ClusterDomain.Length > 0)
            {
                searches.AddRange([$"{pod.Metadata.Namespace}.svc.{options.ClusterDomain}", $"svc.{options.ClusterDomain}", options.ClusterDomain]);
            }

            searches.AddRange(host.Searches);
            settings.Add("ndots:5");
        }
        else if (policy != "None")
        {
            (servers, searches, settings) = options.ResolvConf.Length == 0 ? (["127.0.0.1"], ["."], []) : host;
        }

        if (pod.Spec.DnsConfig is { } own)
        {
            servers = [.. servers, .. own.Nameservers];
            searches = [.. searches, .. own.Searches];
            settings = MergeOptions(settings, own.Options);
        }

        var warnings = new List<string>();
        var config = new DNSConfig();
        config.Servers.AddRange(LimitServers([.. servers.Distinct()], warnings));
        config.Searches.AddRange(LimitSearches([.. searches.Distinct()], warnings));
        config.Options.AddRange(settings);
        return new PodDns(config, warnings, missing);
    }

    private static List<string> MergeOptions(List<string> options, IReadOnlyList<PodDNSConfigOption> own)
    {
        var merged = options.ToDictionary(o => o.Split(':')[0], o => o);
        foreach (PodDNSConfigOption o in own.Where(o => !string.IsNullOrEmpty(o.Name)))
        {
            merged[o.Name!] = o.Value is null ? o.Name! : $"{o.Name}:{o.Value}";
        }

        return [.. merged.Values];
    }

    private static List<string> LimitServers(List<string> servers, List<string> warnings)
    {
        if (servers.Count <= MostServers)
        {
            return servers;
        }

        servers = [.. servers.Take(MostServers)];
        warnings.Add($"Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: {string.Join(' ', servers)}");
        return servers;
    }

    private static List<string> LimitSearches(List<string> searches, List<string> warnings)
    {
        List<string> kept = [.. searches.Where(s => s.Length <= 253).Take(MostSearches)];
        while (string.Join(' ', kept).Length > LongestSearchLine)
        {
            kept.RemoveAt(kept.Count - 1);
        }

        if (kept.Count < searches.Count)
        {
            warnings.Add($"Search Line limits were exceeded, some search paths have been omitted, the applied search line is: {string.Join(' ', kept)}");
        }

        return kept;
    }

    /// <summary>Reads resolv.conf: the last search line counts, options are merged by name.</summary>
    public static (List<string> Servers, List<string> Searches, List<string> Options) Parse(string file)
    {
        List<string> servers = [], searches = [];
        var options = new Dictionary<string, string>();
        foreach (string raw in file.Split('\n'))
        {
            string line = raw.Trim();
            string[] words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2 || line[0] is '#' or ';')
            {
                continue;
            }

            switch (words[0])
            {
                case "nameserver":
                    servers.Add(words[1]);
                    break;
                case "search":
                    searches = [.. words.Skip(1).Where(w => w != ".").Select(w => w.TrimEnd('.'))];
                    break;
                case "options":
                    foreach (string option in words.Skip(1))
                    {
                        options[option.Split(':')[0]] = option;
                    }

                    break;
            }
        }

        return (servers, searches, [.. options.Values]);
    }
}
