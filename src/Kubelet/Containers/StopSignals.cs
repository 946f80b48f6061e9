using NodeAgent.Cri.V1;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Signals by their names in the API (SIGTERM, SIGRTMIN+1) and in the CRI. Pure. Source: pkg/kubelet/kuberuntime/convert.go; KEP-4960.</summary>
internal static class StopSignals
{
    /// <summary>The signal, or the runtime's default where none is named or the CRI has none of that name.</summary>
    public static Signal Parse(string? name) =>
        Enum.TryParse((name ?? "").Replace("+", "PLUS", StringComparison.Ordinal).Replace("-", "MINUS", StringComparison.Ordinal), ignoreCase: true, out Signal signal)
            && Enum.IsDefined(signal) ? signal : Signal.RuntimeDefault;

    /// <summary>The API's name; null for the runtime's default.</summary>
    public static string? Name(Signal signal) => signal == Signal.RuntimeDefault ? null
        : signal.ToString().ToUpperInvariant().Replace("PLUS", "+", StringComparison.Ordinal).Replace("MINUS", "-", StringComparison.Ordinal);
}
