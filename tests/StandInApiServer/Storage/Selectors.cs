using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.StandIn.Storage;

/// <summary>Label selectors inside of objects.</summary>
internal static class Selectors
{
    /// <summary>The meaning of a LabelSelector object; absent: nothing matches.</summary>
    public static LabelMatcher Of(JsonObject? selector) =>
        selector is null ? LabelMatcher.Nothing : LabelMatcher.From(KubernetesJson.Deserialize<LabelSelector>(selector));

    /// <summary>The meaning of a Service's plain map of labels; absent or empty: nothing matches.</summary>
    public static LabelMatcher OfMap(JsonObject? labels) =>
        labels is null || labels.Count == 0 ? LabelMatcher.Nothing : LabelMatcher.FromLabels(JsonAccess.Labels(labels));
}
