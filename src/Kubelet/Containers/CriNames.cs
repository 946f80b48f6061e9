using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Labels and annotations on sandboxes and containers. Source: pkg/kubelet/kuberuntime/labels.go, pkg/kubelet/types/labels.go.</summary>
internal static class CriNames
{
    public const string PodName = "io.kubernetes.pod.name";
    public const string PodNamespace = "io.kubernetes.pod.namespace";
    public const string PodUid = "io.kubernetes.pod.uid";
    public const string ContainerName = "io.kubernetes.container.name";
    public const string Hash = "io.kubernetes.container.hash";
    public const string RestartCount = "io.kubernetes.container.restartCount";
    public const string TerminationMessagePath = "io.kubernetes.container.terminationMessagePath";
    public const string TerminationMessagePolicy = "io.kubernetes.container.terminationMessagePolicy";
    public const string DeletionGracePeriod = "io.kubernetes.pod.deletionGracePeriod";
    public const string TerminationGracePeriod = "io.kubernetes.pod.terminationGracePeriod";
    public const string PreStopHandler = "io.kubernetes.container.preStopHandler";
    public const string Ports = "io.kubernetes.container.ports";

    /// <summary>Of this agent only: seconds that were waited before this attempt, for the wait after it when neither the agent nor the runtime knows earlier ones any more.</summary>
    public const string RestartDelay = "node-agent.container.restartDelay";
}

/// <summary>The hash that tells whether a running container is still the one its spec asks for: only name and image count.</summary>
internal static class ContainerHash
{
    /// <summary>FNV-1a 32 over Go's dump of the bytes of {"image":…,"name":…}. Source: pkg/kubelet/container/helpers.go (HashContainer).</summary>
    public static uint Compute(string name, string image)
    {
        byte[] json = Encoding.UTF8.GetBytes($"{{\"image\":{GoJson(image)},\"name\":{GoJson(name)}}}");
        var text = new StringBuilder("([]uint8)[");
        text.AppendJoin(' ', json.Select(b => b.ToString(CultureInfo.InvariantCulture))).Append(']');
        uint hash = 2166136261;
        foreach (byte b in Encoding.UTF8.GetBytes(text.ToString()))
        {
            hash = (hash ^ b) * 16777619;
        }

        return hash;
    }

    /// <summary>Go's encoder writes non-ASCII text plainly and escapes only what HTML or JSON needs.</summary>
    private static string GoJson(string text) =>
        "\"" + JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString()
            .Replace("<", "\\u003c", StringComparison.Ordinal).Replace(">", "\\u003e", StringComparison.Ordinal).Replace("&", "\\u0026", StringComparison.Ordinal) + "\"";
}
