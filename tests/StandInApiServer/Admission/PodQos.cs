using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Admission;

/// <summary>A pod's quality-of-service class.</summary>
internal static class PodQos
{
    private static readonly string[] Counted = ["cpu", "memory"];

    public static string Of(JsonObject spec)
    {
        List<JsonObject> holders = spec.Map("resources") is { } own ? [own] : [.. spec.Items("containers").Concat(spec.Items("initContainers")).Select(c => c.Map("resources") ?? [])];
        bool any = false, guaranteed = true;
        foreach (JsonObject resources in holders)
            foreach (string name in Counted)
            {
                Quantity? limit = Amount(resources, "limits", name), request = Amount(resources, "requests", name) ?? limit;
                any |= limit is not null || request is not null;
                guaranteed &= limit is not null && request == limit;
            }
        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
    }

    private static Quantity? Amount(JsonObject resources, string list, string name)
    {
        JsonNode? value = resources.At(list, name);
        return Quantity.TryParse(value.Text() ?? value?.ToJsonString(), out Quantity amount) && !amount.IsZero ? amount : null;
    }
}
