using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Proxy.Configuration;

/// <summary>The fields for all modes.</summary>
internal static class MainFields
{
    internal static ConfigurationTable<KubeProxyConfiguration> AddMain(this ConfigurationTable<KubeProxyConfiguration> table) => table
        .Value("featureGates", FieldKinds.BoolMap, c => c.FeatureGates, (c, v) => c with { FeatureGates = v }, SupportState.NoEffectYet)
        .Value("clientConnection.kubeconfig", FieldKinds.Text,
            c => c.ClientConnectionKubeconfig, (c, v) => c with { ClientConnectionKubeconfig = v })
        .Value("clientConnection.acceptContentTypes", FieldKinds.Text,
            c => c.ClientConnectionAcceptContentTypes, (c, v) => c with { ClientConnectionAcceptContentTypes = v }, SupportState.Ignored)
        .Value("clientConnection.contentType", FieldKinds.Text,
            c => c.ClientConnectionContentType, (c, v) => c with { ClientConnectionContentType = v }, SupportState.Ignored)
        .Value("clientConnection.qps", FieldKinds.Float, c => c.ClientConnectionQps, (c, v) => c with { ClientConnectionQps = v })
        .Value("clientConnection.burst", FieldKinds.Int32, c => c.ClientConnectionBurst, (c, v) => c with { ClientConnectionBurst = v })
        .Value("hostnameOverride", FieldKinds.Text, c => c.HostnameOverride, (c, v) => c with { HostnameOverride = v })
        .Value("bindAddress", FieldKinds.Text, c => c.BindAddress, (c, v) => c with { BindAddress = v })
        .Value("healthzBindAddress", FieldKinds.Text, c => c.HealthzBindAddress, (c, v) => c with { HealthzBindAddress = v })
        .Value("metricsBindAddress", FieldKinds.Text, c => c.MetricsBindAddress, (c, v) => c with { MetricsBindAddress = v })
        .Value("bindAddressHardFail", FieldKinds.Bool, c => c.BindAddressHardFail, (c, v) => c with { BindAddressHardFail = v })
        .Value("enableProfiling", FieldKinds.Bool, c => c.EnableProfiling, (c, v) => c with { EnableProfiling = v }, SupportState.Ignored)
        .Value("showHiddenMetricsForVersion", FieldKinds.Text,
            c => c.ShowHiddenMetricsForVersion, (c, v) => c with { ShowHiddenMetricsForVersion = v }, SupportState.NoEffectYet)
        .Value("mode", FieldKinds.Text, c => c.Mode, (c, v) => c with { Mode = v })
        .Value("detectLocalMode", FieldKinds.Text, c => c.DetectLocalMode, (c, v) => c with { DetectLocalMode = v })
        .Value("detectLocal.bridgeInterface", FieldKinds.Text,
            c => c.DetectLocalBridgeInterface, (c, v) => c with { DetectLocalBridgeInterface = v })
        .Value("detectLocal.interfaceNamePrefix", FieldKinds.Text,
            c => c.DetectLocalInterfaceNamePrefix, (c, v) => c with { DetectLocalInterfaceNamePrefix = v })
        .Value("clusterCIDR", FieldKinds.Text, c => c.ClusterCIDR, (c, v) => c with { ClusterCIDR = v })
        .Value("nodePortAddresses", FieldKinds.TextList, c => c.NodePortAddresses, (c, v) => c with { NodePortAddresses = v })
        .Pointer("oomScoreAdj", FieldKinds.Int32, c => c.OomScoreAdj, (c, v) => c with { OomScoreAdj = v })
        .Value("configSyncPeriod", FieldKinds.Duration,
            c => c.ConfigSyncPeriod, (c, v) => c with { ConfigSyncPeriod = v }, SupportState.Ignored)
        .Value("portRange", FieldKinds.Text, c => c.PortRange, (c, v) => c with { PortRange = v }, SupportState.Ignored)
        .Value("windowsRunAsService", FieldKinds.Bool,
            c => c.WindowsRunAsService, (c, v) => c with { WindowsRunAsService = v }, SupportState.Ignored);
}
