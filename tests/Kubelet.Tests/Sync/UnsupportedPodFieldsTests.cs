using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Tests.Sync;

public sealed class UnsupportedPodFieldsTests
{
    [Fact]
    public void Every_field_of_the_PodSpec_schema_is_honoured_or_refused()
    {
        List<string> missing = [];
        Visit(Schema(), "PodSpec", "", [], missing, []);
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_entry_of_the_table_is_a_field_of_the_schema()
    {
        HashSet<string> seen = [];
        Visit(Schema(), "PodSpec", "", [], [], seen);
        Assert.Empty(PodFieldTable.Honoured.Concat(PodFieldTable.Refused).Concat(PodFieldTable.HonouredValues.Keys).Except(seen).Order());
    }

    [Fact]
    public void No_field_is_both_honoured_and_refused() => Assert.Empty(
        PodFieldTable.Honoured.Intersect(PodFieldTable.Refused).Concat(PodFieldTable.HonouredValues.Keys.Intersect(PodFieldTable.Honoured.Concat(PodFieldTable.Refused))));

    [Fact]
    public void An_ephemeral_container_is_asked_about_by_itself()
    {
        EphemeralContainer asks = new() { Name = "e", Resources = new ResourceRequirements { Claims = [new ContainerResourceClaim { Name = "gpu" }] } };
        Assert.Equal("spec.ephemeralContainers[] (e).resources.claims is not supported by this node agent; remove the field or use another node", UnsupportedPodFields.Find(asks));
        Assert.Null(UnsupportedPodFields.Find(new Pod { Metadata = new ObjectMeta(), Spec = new PodSpec { EphemeralContainers = [asks] }, Status = new PodStatus() }));
        Assert.Null(UnsupportedPodFields.Find(new EphemeralContainer { Name = "e", Image = "busybox:1", TargetContainerName = "main", Stdin = true, Tty = true }));
    }

    [Theory]
    [InlineData("""{"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"c"}}]}""", "spec.volumes[0] (data).persistentVolumeClaim")]
    [InlineData("""{"volumes":[{"name":"x","quantumDisk":{}}]}""", "spec.volumes[0] (x).quantumDisk")]
    [InlineData("""{"volumes":[{"name":"x","projected":{"sources":[{"clusterTrustBundle":{"path":"p"}}]}}]}""", "spec.volumes[0] (x).projected.sources[0].clusterTrustBundle")]
    [InlineData("""{"resources":{"claims":[{"name":"gpu"}]}}""", "spec.resources.claims")]
    [InlineData("""{"containers":[{"name":"a","resources":{"claims":[{"name":"gpu"}]}}]}""", "spec.containers[0] (a).resources.claims")]
    [InlineData("""{"initContainers":[{"name":"a","volumeDevices":[{"name":"d","devicePath":"/dev/x"}]}]}""", "spec.initContainers[0] (a).volumeDevices")]
    public void A_field_that_is_not_honoured_is_named_with_the_remedy(string spec, string field) =>
        Assert.Equal($"{field} is not supported by this node agent; remove the field or use another node", UnsupportedPodFields.Find(PodOf(spec)));

    [Theory]
    [InlineData("""{"containers":[{"name":"a","image":"x"}]}""")]
    [InlineData("""{"hostUsers":false,"affinity":{"nodeAffinity":{}}}""")]
    [InlineData("""{"containers":[{"name":"a","restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[1]}}]}]}""")]
    [InlineData("""{"volumes":[{"name":"t","projected":{"sources":[{"serviceAccountToken":{"path":"token"}},{"configMap":{"name":"ca"}}]}}]}""")]
    [InlineData("""{"containers":[{"name":"a","volumeMounts":[{"name":"v","mountPath":"/v","recursiveReadOnly":"Enabled","readOnly":true}]}]}""")]
    [InlineData("""{"resources":{"limits":{"cpu":"1"},"requests":{"memory":"1Gi"}}}""")]
    [InlineData("""{"fieldOfTheFuture":1}""")]
    public void Pods_without_such_a_field_pass(string spec) => Assert.Null(UnsupportedPodFields.Find(PodOf(spec)));

    private static Pod PodOf(string spec) => new() { Spec = KubernetesJson.Deserialize<PodSpec>(spec) };

    private static void Visit(
        Dictionary<string, List<(string Name, string Type)>> schema, string type, string path, HashSet<string> above, List<string> missing, HashSet<string> seen)
    {
        foreach ((string name, string fieldType) in schema[type])
        {
            string shown = type == "PodSpec" && name is "initContainers" or "ephemeralContainers" ? "containers" : name;
            string at = (path.Length == 0 ? shown : $"{path}.{shown}");
            seen.Add(at);
            bool known = PodFieldTable.Honoured.Contains(at) || PodFieldTable.Refused.Contains(at) || PodFieldTable.HonouredValues.ContainsKey(at);
            string element = fieldType.Replace("[]", "", StringComparison.Ordinal);
            if (known)
            {
                continue;
            }

            if (!schema.ContainsKey(element) || above.Contains(element))
            {
                missing.Add(at);
                continue;
            }

            Visit(schema, element, fieldType.StartsWith("[]", StringComparison.Ordinal) ? at + "[]" : at, [.. above, element], missing, seen);
        }
    }

    private static Dictionary<string, List<(string Name, string Type)>> Schema()
    {
        DirectoryInfo folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "NodeAgent.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("NodeAgent.sln not found above the tests");
        }

        Dictionary<string, List<(string, string)>> types = [];
        List<(string, string)> current = [];
        foreach (string line in File.ReadLines(Path.Combine(folder.FullName, "build/ObjectGenerator/api.schema")))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (line.StartsWith("type ", StringComparison.Ordinal))
            {
                types[words[1]] = current = [];
            }
            else if (line.StartsWith("  ", StringComparison.Ordinal) && words.Length >= 2)
            {
                current.Add((words[0], words[1].TrimEnd('!')));
            }
        }

        return types;
    }
}
