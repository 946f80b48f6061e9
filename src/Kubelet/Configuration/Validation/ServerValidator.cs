using System.Net;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Ports, addresses, TLS, authorization mode, tracing.</summary>
internal static class ServerValidator
{
    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        run.RequireRange(c.Port, 1, 65535, "port");
        run.RequireRange(c.ReadOnlyPort, 0, 65535, "readOnlyPort");
        run.RequireRange(c.HealthzPort, 0, 65535, "healthzPort");
        run.Require(SloppyAddress.TryParse(c.Address, out IPAddress _), "address", $"\"{c.Address}\" is no IP address", "give an address of this host or 0.0.0.0");
        run.Require(SloppyAddress.TryParse(c.HealthzBindAddress, out IPAddress _), "healthzBindAddress",
            $"\"{c.HealthzBindAddress}\" is no IP address", "give an address of this host");
        run.RequireOneOf(c.AuthorizationMode, "authorization.mode", "AlwaysAllow", "Webhook");
        run.RequireOneOf(c.TlsMinVersion, "tlsMinVersion", "", "VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13");
        run.Require(!c.ServerTLSBootstrap || run.Gates.IsEnabled("RotateKubeletServerCertificate"), "serverTLSBootstrap",
            "needs the feature gate RotateKubeletServerCertificate", "set the gate or serverTLSBootstrap: false");
        run.Require(c.TlsCertFile.Length == 0 == (c.TlsPrivateKeyFile.Length == 0), "tlsCertFile",
            "tlsCertFile and tlsPrivateKeyFile belong together", "set both or none");
        run.Require(!c.EnableSystemLogQuery || c.EnableSystemLogHandler, "enableSystemLogQuery", "needs enableSystemLogHandler",
            "set enableSystemLogHandler: true");
        run.Require(!c.EnableSystemLogQuery || run.Gates.IsEnabled("NodeLogQuery"), "enableSystemLogQuery", "needs the feature gate NodeLogQuery", "set the gate");
        run.Require(c.ShowHiddenMetricsForVersion is "" or "1.35", "showHiddenMetricsForVersion",
            $"\"{c.ShowHiddenMetricsForVersion}\" is not the previous minor version", "use 1.35 or remove it");
        if (c.TracingSamplingRatePerMillion is { } rate)
            run.RequireRange(rate, 0, 1_000_000, "tracing.samplingRatePerMillion");
    }
}
