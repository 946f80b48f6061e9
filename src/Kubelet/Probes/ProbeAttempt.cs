using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>How one try of a probe ended.</summary>
internal enum AttemptOutcome
{
    /// <summary>Healthy.</summary>
    Success,
    /// <summary>Healthy, with something to tell.</summary>
    Warning,
    /// <summary>Not healthy.</summary>
    Failure,
    /// <summary>The try says nothing of the container: bad configuration, the runtime failed, or the agent itself was late.</summary>
    Error,
}

/// <summary>One try's end.</summary>
/// <param name="Outcome">How.</param>
/// <param name="Text">What users read; for an error, the reason.</param>
internal readonly record struct AttemptResult(AttemptOutcome Outcome, string Text);

/// <summary>What one try is made against.</summary>
/// <param name="Handler">The probe.</param>
/// <param name="Container">The container's spec: ports by name, environment.</param>
/// <param name="Id">The container instance.</param>
/// <param name="PodIP">The pod's address.</param>
/// <param name="Timeout">From the moment the try really starts.</param>
internal sealed record ProbeAttempt(Probe Handler, Container Container, ContainerId Id, string PodIP, TimeSpan Timeout);

/// <summary>Shared by the kinds of probes.</summary>
internal static class ProbeSupport
{
    /// <summary>How much of an answer is read.</summary>
    public const int MaximumOutput = 10 * 1024;

    /// <summary>A time-out that is noticed later than this after its time is the agent's own lateness, not the container's.</summary>
    public static readonly TimeSpan OwnLateness = TimeSpan.FromMilliseconds(500);

    /// <summary>The user agent of kubelet probes.</summary>
    public const string UserAgent = "kube-probe/1.36";

    /// <summary>A port by number or by the container's name for it; null with a problem where it cannot be resolved.</summary>
    public static int? Port(IntOrString port, Container container, out string problem)
    {
        problem = "";
        int number = port.IsString
            ? container.Ports.FirstOrDefault(p => p.Name == port.StringValue)?.ContainerPortValue
                ?? (int.TryParse(port.StringValue, out int parsed) ? parsed : -1)
            : port.IntValue;
        if (number is > 0 and < 65536)
        {
            return number;
        }

        problem = port.IsString ? $"couldn't find port: {port.StringValue} in the container \"{container.Name}\"" : $"invalid port number: {port}";
        return null;
    }

    /// <summary>Go's text of whole seconds: 1s, 1m30s.</summary>
    public static string Seconds(TimeSpan t) => t.TotalSeconds < 60 ? $"{t.TotalSeconds:0.###}s"
        : t.TotalHours < 1 ? $"{(int)t.TotalMinutes}m{t.Seconds}s" : $"{(int)t.TotalHours}h{t.Minutes}m{t.Seconds}s";

    /// <summary>"host:port", an IPv6 address in brackets.</summary>
    public static string Join(string host, int port) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]:{port}" : $"{host}:{port}";
}
