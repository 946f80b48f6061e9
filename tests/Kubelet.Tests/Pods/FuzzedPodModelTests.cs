using System.Collections;
using System.Reflection;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>What the fuzzed pods hold, and what pure functions make of any of them; a pod that breaks a property is shrunk field by field.</summary>
public sealed class FuzzedPodModelTests
{
    private static readonly string Model = typeof(Pod).Namespace!;

    /// <summary>
    /// Ephemeral containers come by another way and have what containers have; nodeName is what brought the pod here; what has the name of
    /// something the API server vouches for is left alone wherever it is; who manages which field is nothing to the agent.
    /// </summary>
    private static readonly string[] Never =
    [
        "PodSpec.EphemeralContainers", "PodSpec.NodeName", "ObjectMeta.DeletionGracePeriodSeconds", "ObjectMeta.DeletionTimestamp", "ObjectMeta.ManagedFields", "ObjectMeta.Namespace", "ObjectMeta.Uid",
        "OwnerReference.Uid", "TypedObjectReference.Namespace",
    ];

    private static Arbitrary<Pod> Pods => Arb.From(Gen.Choose(0, int.MaxValue - 1).Select(seed => new FuzzedPods(seed).Next(0)), Shrunk);

    [Fact]
    public void Fuzzed_pods_hold_every_field_of_the_model_sooner_or_later()
    {
        HashSet<string> missing = [];
        Reach(typeof(PodSpec), missing, []);
        missing.ExceptWith(Never);
        int all = missing.Count;
        FuzzedPods fuzzed = new(7);
        for (int i = 0; i < 20_000 && missing.Count > 0; i++)
        {
            See(fuzzed.Next(i).Spec, missing);
        }

        Assert.True(all > 300, $"only {all} fields are looked for");
        Assert.True(missing.Count == 0, $"never made: {string.Join(' ', missing)}");
    }

    [Fact]
    public void Whatever_a_pod_holds_it_survives_its_own_text() => Prop.ForAll(Pods, pod =>
    {
        string text = KubernetesJson.Serialize(pod);
        return KubernetesJson.Serialize(KubernetesJson.Deserialize<Pod>(text)) == text;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Defaults_are_applied_once_and_for_all() => Prop.ForAll(Pods, pod =>
    {
        Pod once = PodDefaults.Apply(pod);
        return KubernetesJson.Serialize(PodDefaults.Apply(once)) == KubernetesJson.Serialize(once);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Class_requests_limits_and_cgroup_can_be_told_of_any_pod() => Prop.ForAll(Pods, pod =>
    {
        _ = UnsupportedPodFields.Find(pod);
        _ = PodQos.Compute(pod);
        _ = PodResources.Limits(pod);
        _ = PodCgroupLimits.ForPod(pod, true, 100_000, -1);
        return PodResources.Requests(pod, includeOverhead: false).All(own => PodResources.Requests(pod).ContainsKey(own.Key));
    }).QuickCheckThrowOnFailure();

    // The same pod without one of the things it holds; names stay, since without them it is no pod any more.
    private static IEnumerable<Pod> Shrunk(Pod pod)
    {
        string text = KubernetesJson.Serialize(pod);
        string[] paths = [.. Below(JsonNode.Parse(text)!["spec"]!).Select(n => n.GetPath())];
        foreach (string path in paths.Where(p => !p.EndsWith(".name", StringComparison.Ordinal) && p != "$.spec.containers"))
        {
            JsonNode whole = JsonNode.Parse(text)!;
            JsonNode? found = Below(whole["spec"]!).FirstOrDefault(n => n.GetPath() == path);
            if (found?.Parent is JsonObject parent)
            {
                parent.Remove(found.GetPropertyName());
                yield return KubernetesJson.Deserialize<Pod>(whole.ToJsonString());
            }
            else if (found?.Parent is JsonArray list)
            {
                list.Remove(found);
                yield return KubernetesJson.Deserialize<Pod>(whole.ToJsonString());
            }
        }
    }

    private static IEnumerable<JsonNode> Below(JsonNode node)
    {
        IEnumerable<JsonNode?> children = node switch
        {
            JsonObject o => o.Select(p => p.Value),
            JsonArray a => a,
            _ => [],
        };
        return children.OfType<JsonNode>().SelectMany(c => Below(c).Prepend(c));
    }

    private static void Reach(Type type, HashSet<string> fields, HashSet<Type> seen)
    {
        if (!seen.Add(type))
        {
            return;
        }

        foreach (PropertyInfo property in Fields(type).Where(p => !Never.Contains(NameOf(p))))
        {
            fields.Add(NameOf(property));
            foreach (Type inner in property.PropertyType.GetGenericArguments().Prepend(property.PropertyType).Where(t => t.IsClass && t.Namespace == Model))
            {
                Reach(inner, fields, seen);
            }
        }
    }

    private static void See(object value, HashSet<string> missing)
    {
        foreach (PropertyInfo property in Fields(value.GetType()))
        {
            object? held = property.GetValue(value);
            if (held is null or "" || held is IEnumerable nothing && !nothing.Cast<object>().Any())
            {
                continue;
            }

            missing.Remove(NameOf(property));
            IEnumerable<object> inner = held switch
            {
                string => [],
                IDictionary map => map.Values.Cast<object>(),
                IEnumerable list => list.Cast<object>(),
                _ => [held],
            };
            foreach (object item in inner.Where(i => i.GetType() is { IsClass: true } t && t.Namespace == Model))
            {
                See(item, missing);
            }
        }
    }

    // The property for unknown fields is of another namespace's types and has no name of its own in the schema.
    private static IEnumerable<PropertyInfo> Fields(Type type) =>
        type.GetProperties().Where(p => p.SetMethod is not null && !p.PropertyType.FullName!.Contains("System.Text.Json", StringComparison.Ordinal));

    private static string NameOf(PropertyInfo property) => $"{property.DeclaringType!.Name}.{property.Name}";
}
