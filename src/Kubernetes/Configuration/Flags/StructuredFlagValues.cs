using System.Globalization;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>Flags whose text holds lists of small objects.</summary>
internal static class StructuredFlagValues
{
    /// <summary>key=value:effect, key:effect; upstream's taint syntax.</summary>
    internal static JsonArray? Taints(string text)
    {
        JsonArray list = [];
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] sides = part.Split(':');
            if (sides.Length != 2 || sides[1] is not ("NoSchedule" or "PreferNoSchedule" or "NoExecute"))
                return null;
            string[] names = sides[0].Split('=');
            if (names.Length > 2 || names[0].Length == 0)
                return null;
            JsonObject taint = new() { ["key"] = names[0], ["effect"] = sides[1] };
            if (names is [_, { Length: > 0 } value])
                taint["value"] = value;
            list.Add((JsonNode)taint);
        }
        return list;
    }

    /// <summary>0:memory=1Gi,hugepages-2Mi=4Mi; one node for each flag.</summary>
    internal static JsonArray? ReservedMemory(IReadOnlyList<string> texts)
    {
        JsonArray list = [];
        foreach (string text in texts)
        {
            string[] sides = text.Split(':');
            if (sides.Length != 2 || !int.TryParse(sides[0], NumberStyles.None, CultureInfo.InvariantCulture, out int node))
                return null;
            JsonObject limits = [];
            foreach (string pair in sides[1].Split(',', StringSplitOptions.RemoveEmptyEntries))
            {
                string[] names = pair.Split('=');
                if (names.Length != 2 || !Quantity.TryParse(names[1], out _))
                    return null;
                limits[names[0]] = names[1];
            }
            if (limits.Count == 0)
                return null;
            list.Add((JsonNode)new JsonObject { ["numaNode"] = node, ["limits"] = limits });
        }
        return list;
    }

    /// <summary>pattern=N,…</summary>
    internal static JsonArray? VModule(string text)
    {
        JsonArray list = [];
        foreach (string pair in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] sides = pair.Split('=');
            if (sides.Length != 2 || sides[0].Length == 0 || !int.TryParse(sides[1], NumberStyles.None, CultureInfo.InvariantCulture, out int level))
                return null;
            list.Add((JsonNode)new JsonObject { ["filePattern"] = sides[0], ["verbosity"] = level });
        }
        return list;
    }
}
