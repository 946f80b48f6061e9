using System.Net.Sockets;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Proxy.Configuration;

/// <summary>Upstream's rules (pkg/proxy/apis/config/validation); every violation is reported, under the name the field has in the file.</summary>
public static class KubeProxyValidation
{
    private static readonly string[] Modes = ["iptables", "ipvs", "nftables"];
    private static readonly string[] LocalModes = ["ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"];

    /// <summary>Checks a complete configuration.</summary>
    public static IReadOnlyList<ConfigurationProblem> Validate(KubeProxyConfiguration configuration, FeatureGates gates, string source)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(gates);
        Run run = new(configuration, source);
        run.Mode();
        run.Periods();
        run.Conntrack();
        run.Addresses();
        run.LocalTraffic();
        return [.. run.Problems, .. LoggingFields.Validate(configuration.Logging, gates, source)];
    }

    private sealed class Run(KubeProxyConfiguration c, string source)
    {
        internal List<ConfigurationProblem> Problems { get; } = [];

        internal void Mode()
        {
            Require(c.Mode.Length == 0 || Modes.Contains(c.Mode), "mode", $"\"{c.Mode}\" is no proxy mode", "use iptables, ipvs or nftables");
            Require(c.IptablesMasqueradeBit is >= 0 and <= 31, "iptables.masqueradeBit", $"{c.IptablesMasqueradeBit} is out of range", "use 0 to 31");
            if (c.Mode == "nftables")
                Require(c.NftablesMasqueradeBit is >= 0 and <= 31, "nftables.masqueradeBit", $"{c.NftablesMasqueradeBit} is out of range", "use 0 to 31");
            if (c.Mode != "ipvs")
                return;
            NotNegative(c.IpvsTcpTimeout, "ipvs.tcpTimeout");
            NotNegative(c.IpvsTcpFinTimeout, "ipvs.tcpFinTimeout");
            NotNegative(c.IpvsUdpTimeout, "ipvs.udpTimeout");
            foreach (string cidr in c.IpvsExcludeCIDRs)
                Require(IsCidr(cidr), "ipvs.excludeCIDRs", $"\"{cidr}\" is no CIDR", "give for example 10.0.0.0/8");
        }

        internal void Periods()
        {
            string mode = c.Mode is "ipvs" or "nftables" ? c.Mode : "iptables";
            Require(c.ConfigSyncPeriod > TimeSpan.Zero, "configSyncPeriod", "is not positive", "use for example 15m");
            Require(c.SyncPeriod > TimeSpan.Zero, $"{mode}.syncPeriod", "is not positive", "use for example 30s");
            Require(c.MinSyncPeriod >= TimeSpan.Zero, $"{mode}.minSyncPeriod", "is negative", "use 0s or more");
            Require(c.MinSyncPeriod <= c.SyncPeriod, $"{mode}.minSyncPeriod", "is longer than syncPeriod", "shorten it");
            Require(c.ClientConnectionBurst >= 0, "clientConnection.burst", $"{c.ClientConnectionBurst} is negative", "use 0 or more");
            Require(c.OomScoreAdj is >= -1000 and <= 1000, "oomScoreAdj", $"{c.OomScoreAdj} is out of range", "use -1000 to 1000");
            Require(c.ShowHiddenMetricsForVersion is "" or "1.35", "showHiddenMetricsForVersion",
                $"\"{c.ShowHiddenMetricsForVersion}\" is not the previous minor version", "use 1.35 or remove it");
        }

        internal void Conntrack()
        {
            Require(c.ConntrackMaxPerCore >= 0, "conntrack.maxPerCore", "is negative", "use 0 or more");
            Require(c.ConntrackMin >= 0, "conntrack.min", "is negative", "use 0 or more");
            NotNegative(c.ConntrackTcpEstablishedTimeout, "conntrack.tcpEstablishedTimeout");
            NotNegative(c.ConntrackTcpCloseWaitTimeout, "conntrack.tcpCloseWaitTimeout");
            NotNegative(c.ConntrackUdpTimeout, "conntrack.udpTimeout");
            NotNegative(c.ConntrackUdpStreamTimeout, "conntrack.udpStreamTimeout");
        }

        internal void Addresses()
        {
            Require(SloppyAddress.TryParse(c.BindAddress, out _), "bindAddress", $"\"{c.BindAddress}\" is no IP address", "give an address");
            if (c.HealthzBindAddress.Length > 0)
                Endpoint(c.HealthzBindAddress, "healthzBindAddress");
            Endpoint(c.MetricsBindAddress, "metricsBindAddress");
            for (int i = 0; i < c.NodePortAddresses.Count; i++)
            {
                string address = c.NodePortAddresses[i];
                if (address == KubeProxyConfiguration.PrimaryNodePortAddresses)
                    Require(c.NodePortAddresses.Count == 1, $"nodePortAddresses[{i}]", "primary cannot go with CIDRs", "use primary alone");
                else
                    Require(IsCidr(address), $"nodePortAddresses[{i}]", $"\"{address}\" is no CIDR", "give for example 10.0.0.0/8, or primary");
            }
        }

        internal void LocalTraffic()
        {
            Require(c.DetectLocalMode.Length == 0 || LocalModes.Contains(c.DetectLocalMode), "detectLocalMode",
                $"\"{c.DetectLocalMode}\" is not supported", $"use one of {string.Join(", ", LocalModes)}");
            Require(c.DetectLocalMode != "BridgeInterface" || c.DetectLocalBridgeInterface.Length > 0, "detectLocal.bridgeInterface", "is empty",
                "name the bridge");
            Require(c.DetectLocalMode != "InterfaceNamePrefix" || c.DetectLocalInterfaceNamePrefix.Length > 0, "detectLocal.interfaceNamePrefix",
                "is empty", "give the prefix");
            if (c.DetectLocalMode == "ClusterCIDR" && c.ClusterCIDRs.Count > 0)
                ClusterCidrs();
        }

        private void ClusterCidrs()
        {
            List<AddressFamily> families = [];
            foreach (string cidr in c.ClusterCIDRs)
            {
                bool valid = SloppyAddress.TryParseCidr(cidr, out var address, out _);
                Require(valid, "clusterCIDR", $"\"{cidr}\" is no CIDR", "give for example 10.100.0.0/16");
                if (valid)
                    families.Add(address.AddressFamily);
            }
            Require(c.ClusterCIDRs.Count <= 2 && families.Distinct().Count() == families.Count, "clusterCIDR",
                $"\"{c.ClusterCIDR}\" is neither one CIDR nor one of each family", "give one, or two of different families");
        }

        private void Endpoint(string text, string path) =>
            Require(SloppyAddress.TryParseWithPort(text, out _, out int port) && port > 0, path, $"\"{text}\" is no IP:port", "give for example 0.0.0.0:10256");

        private void NotNegative(TimeSpan value, string path) => Require(value >= TimeSpan.Zero, path, $"{GoDuration.Format(value)} is negative", "use 0s or more");

        private void Require(bool holds, string path, string message, string remedy)
        {
            if (!holds)
                Problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Invalid, source, path, message, remedy));
        }
    }

    private static bool IsCidr(string text) => SloppyAddress.TryParseCidr(text, out _, out _);
}
