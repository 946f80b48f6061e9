using System.Text.Json.Nodes;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Admission;

/// <summary>Default values of the kinds that make pods.</summary>
internal static class WorkloadDefaults
{
    public static void Apply(ResourceDefinition definition, JsonObject value)
    {
        JsonObject spec = value.Ensure("spec");
        switch (definition.Kind)
        {
            case "Deployment":
                spec.Default("replicas", 1);
                spec.Default("revisionHistoryLimit", 10);
                spec.Default("progressDeadlineSeconds", 600);
                Strategy(spec.Ensure("strategy"), "25%", "25%");
                break;
            case "ReplicaSet":
                spec.Default("replicas", 1);
                break;
            case "DaemonSet":
                spec.Default("revisionHistoryLimit", 10);
                Strategy(spec.Ensure("updateStrategy"), 0, 1);
                break;
            case "StatefulSet":
                spec.Default("replicas", 1);
                spec.Default("podManagementPolicy", "OrderedReady");
                spec.Default("revisionHistoryLimit", 10);
                break;
            default:
                if (spec.Count == 0)
                    value.Remove("spec");
                return;
        }
        if (spec.Map("template", "metadata") is { } metadata)
            metadata.Remove("creationTimestamp");
        PodDefaults.Apply(spec.Ensure("template", "spec"));
        if (spec.Map("selector") is null && spec.Map("template", "metadata", "labels") is { } labels)
            spec["selector"] = new JsonObject { ["matchLabels"] = labels.Copy() };
    }

    private static void Strategy(JsonObject strategy, JsonNode surge, JsonNode unavailable)
    {
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") != "RollingUpdate")
            return;
        strategy.Ensure("rollingUpdate").Default("maxSurge", surge);
        strategy.Ensure("rollingUpdate").Default("maxUnavailable", unavailable);
    }
}
