using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>Kinds of fields that only the kubelet's configuration has.</summary>
internal static class KubeletFieldKinds
{
    internal static FieldKind<string?> OptionalText { get; } = new OptionalTextKind();

    internal static FieldKind<IReadOnlyList<Taint>> Taints { get; } = FieldKinds.ListOf(new TaintKind(), "a list of taints with key, value and effect");

    internal static FieldKind<IReadOnlyList<ShutdownGracePeriodByPodPriority>> ShutdownPeriods { get; } =
        FieldKinds.ListOf(new ShutdownKind(), "a list of priority and shutdownGracePeriodSeconds");

    internal static FieldKind<IReadOnlyList<MemoryReservation>> MemoryReservations { get; } =
        FieldKinds.ListOf(new MemoryKind(), "a list of numaNode and limits");

    private sealed class OptionalTextKind() : FieldKind<string?>(FieldKinds.Text.Name)
    {
        public override bool TryRead(JsonNode node, ICollection<string> unknown, out string? value)
        {
            bool read = FieldKinds.Text.TryRead(node, unknown, out string text);
            value = read ? text : null;
            return read;
        }

        public override JsonNode? Write(string? value) => value is null ? null : JsonValue.Create(value);

        public override bool IsZero(string? value) => value is null;
    }

    private sealed class TaintKind() : FieldKind<Taint>("a taint")
    {
        private static readonly string[] Known = ["key", "value", "effect", "timeAdded"];

        public override bool TryRead(JsonNode node, ICollection<string> unknown, out Taint value)
        {
            value = new Taint();
            if (node is not JsonObject map)
                return false;
            NoteUnknown(map, Known, unknown);
            try
            {
                value = KubernetesJson.Deserialize<Taint>(map);
                return true;
            }
            catch (Exception e) when (e is JsonException or FormatException)
            {
                return false;
            }
        }

        public override JsonNode? Write(Taint value) => KubernetesJson.SerializeToNode(value);

        public override bool IsZero(Taint value) => false;
    }

    private sealed class ShutdownKind() : FieldKind<ShutdownGracePeriodByPodPriority>("priority and shutdownGracePeriodSeconds")
    {
        public override bool TryRead(JsonNode node, ICollection<string> unknown, out ShutdownGracePeriodByPodPriority value)
        {
            value = new ShutdownGracePeriodByPodPriority(0, 0);
            if (node is not JsonObject map)
                return false;
            NoteUnknown(map, ["priority", "shutdownGracePeriodSeconds"], unknown);
            int priority = 0;
            long seconds = 0;
            bool read = (map["priority"] is not { } p || FieldKinds.Int32.TryRead(p, unknown, out priority))
                & (map["shutdownGracePeriodSeconds"] is not { } s || FieldKinds.Int64.TryRead(s, unknown, out seconds));
            value = new ShutdownGracePeriodByPodPriority(priority, seconds);
            return read;
        }

        public override JsonNode? Write(ShutdownGracePeriodByPodPriority value) =>
            new JsonObject { ["priority"] = value.Priority, ["shutdownGracePeriodSeconds"] = value.ShutdownGracePeriodSeconds };

        public override bool IsZero(ShutdownGracePeriodByPodPriority value) => false;
    }

    private sealed class MemoryKind() : FieldKind<MemoryReservation>("numaNode and limits")
    {
        public override bool TryRead(JsonNode node, ICollection<string> unknown, out MemoryReservation value)
        {
            SortedDictionary<string, string> limits = new(StringComparer.Ordinal);
            value = new MemoryReservation(0, limits);
            if (node is not JsonObject map)
                return false;
            NoteUnknown(map, ["numaNode", "limits"], unknown);
            int numaNode = 0;
            if (map["numaNode"] is { } n && !FieldKinds.Int32.TryRead(n, unknown, out numaNode))
                return false;
            foreach ((string resource, JsonNode? amount) in map["limits"] as JsonObject ?? [])
            {
                string text = amount?.GetValueKind() == JsonValueKind.String ? amount.GetValue<string>() : amount?.ToJsonString() ?? "";
                if (!Quantity.TryParse(text, out _))
                    return false;
                limits[resource] = text;
            }
            value = new MemoryReservation(numaNode, limits);
            return true;
        }

        public override JsonNode? Write(MemoryReservation value)
        {
            JsonObject limits = [];
            foreach ((string resource, string amount) in value.Limits)
                limits[resource] = amount;
            return new JsonObject { ["numaNode"] = value.NumaNode, ["limits"] = limits };
        }

        public override bool IsZero(MemoryReservation value) => false;
    }

    private static void NoteUnknown(JsonObject map, ReadOnlySpan<string> known, ICollection<string> unknown)
    {
        foreach ((string name, _) in map)
        {
            if (!known.Contains(name))
                unknown.Add($"[].{name}");
        }
    }
}
