using System.Text.Json;

namespace NodeAgent.ObjectGenerator;

/// <summary>Makes api.schema from an OpenAPI v2 document of Kubernetes: names, shapes and patch facts, no descriptions.</summary>
internal sealed class SchemaExtractor
{
    private static readonly string[] Roots =
    [
        "io.k8s.api.core.v1.Pod", "io.k8s.api.core.v1.Node", "io.k8s.api.core.v1.Service", "io.k8s.api.discovery.v1.EndpointSlice",
        "io.k8s.api.coordination.v1.Lease", "io.k8s.api.core.v1.Event", "io.k8s.api.events.v1.Event", "io.k8s.api.core.v1.Secret",
        "io.k8s.api.core.v1.ConfigMap", "io.k8s.api.core.v1.ServiceAccount", "io.k8s.api.authentication.v1.TokenRequest",
        "io.k8s.api.authentication.v1.TokenReview", "io.k8s.api.authorization.v1.SubjectAccessReview", "io.k8s.api.node.v1.RuntimeClass",
        "io.k8s.api.storage.v1.CSINode", "io.k8s.api.storage.v1.CSIDriver", "io.k8s.api.storage.v1.VolumeAttachment",
        "io.k8s.api.core.v1.PersistentVolume", "io.k8s.api.core.v1.PersistentVolumeClaim",
        "io.k8s.api.certificates.v1.CertificateSigningRequest", "io.k8s.api.core.v1.Namespace", "io.k8s.api.networking.v1.ServiceCIDR",
        "io.k8s.api.resource.v1.ResourceClaim", "io.k8s.api.resource.v1.ResourceSlice", "io.k8s.api.core.v1.PodTemplate",
        "io.k8s.api.policy.v1.Eviction", "io.k8s.api.core.v1.Binding", "io.k8s.api.certificates.v1beta1.ClusterTrustBundle",
        "io.k8s.api.certificates.v1beta1.PodCertificateRequest", "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
        "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
        "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    ];

    // Types whose short name another type has.
    private static readonly Dictionary<string, string> Renamed = new()
    {
        ["io.k8s.api.events.v1.Event"] = "EventsV1Event",
        ["io.k8s.api.events.v1.EventSeries"] = "EventsV1EventSeries",
        ["io.k8s.api.storage.v1.TokenRequest"] = "StorageTokenRequest",
        ["io.k8s.api.core.v1.ResourceClaim"] = "ContainerResourceClaim",
    };

    private static readonly Dictionary<string, string> Scalars = new()
    {
        ["io.k8s.apimachinery.pkg.api.resource.Quantity"] = "quantity",
        ["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = "intOrString",
        ["io.k8s.apimachinery.pkg.apis.meta.v1.Time"] = "time",
        ["io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"] = "microTime",
        ["io.k8s.apimachinery.pkg.runtime.RawExtension"] = "raw",
        ["io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"] = "raw",
    };

    // A list of these is kept as it is, unread.
    private const string Unread = "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry";

    private readonly JsonElement definitions;
    private readonly ResourcePaths paths;
    private readonly Dictionary<string, List<string>> fields = [];
    private readonly Dictionary<string, string> owners = [];

    private SchemaExtractor(JsonElement document)
    {
        definitions = document.GetProperty("definitions");
        paths = new ResourcePaths(document.GetProperty("paths"));
    }

    /// <summary>The lines of api.schema.</summary>
    public static IEnumerable<string> Extract(JsonElement document)
    {
        SchemaExtractor extractor = new(document);
        foreach (string root in Roots)
            extractor.Visit(root);
        return Head().Concat(extractor.Lines());
    }

    private static IEnumerable<string> Head() =>
    [
        "# Types, fields and patch facts of the Kubernetes API, as far as the node agent reads or writes them.",
        "# type NAME GROUP VERSION [kind KIND GROUP/VERSION PLURAL namespaced|cluster], then one line for each field:",
        "#   JSON-NAME TYPE[!] [patch=STRATEGY,..] [key=MERGE-KEY] [map=LIST-KEY,..] [set]",
        "# \"!\" marks a required field; [] a list, {} a map with string keys; \"unread\" a list kept as it is, of pods only.",
    ];

    private IEnumerable<string> Lines()
    {
        foreach (string name in fields.Keys.OrderBy(Group, StringComparer.Ordinal).ThenBy(ShortName, StringComparer.Ordinal))
        {
            yield return "";
            yield return $"type {ShortName(name)} {Group(name)}{KindWords(name)}";
            foreach (string line in fields[name])
                yield return line;
        }
    }

    private static string Group(string name)
    {
        string[] parts = name.Split('.');
        return parts[2] == "api" ? $"{parts[3]} {parts[4]}" : "meta v1";
    }

    private string KindWords(string name)
    {
        JsonElement type = definitions.GetProperty(name);
        if (!type.TryGetProperty("x-kubernetes-group-version-kind", out JsonElement kinds) || !type.GetProperty("properties").TryGetProperty("metadata", out _))
            return "";
        return paths.Find(kinds[0]) is { } found ? $" kind {found}" : "";
    }

    private void Visit(string name)
    {
        if (!owners.TryAdd(ShortName(name), name) && owners[ShortName(name)] != name)
            throw new InvalidOperationException($"{name} and {owners[ShortName(name)]} have the same short name: add one to {nameof(Renamed)}");
        if (!fields.TryAdd(name, []))
            return;
        JsonElement type = definitions.GetProperty(name);
        HashSet<string> required = type.TryGetProperty("required", out JsonElement list) ? [.. list.EnumerateArray().Select(r => r.GetString()!)] : [];
        if (!type.TryGetProperty("properties", out JsonElement properties))
            return;
        foreach (JsonProperty property in properties.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
            fields[name].Add($"  {property.Name} {Shape(property.Value)}{(required.Contains(property.Name) ? "!" : "")}{PatchWords(property.Value)}");
    }

    private static string PatchWords(JsonElement property)
    {
        string words = "";
        if (property.TryGetProperty("x-kubernetes-patch-strategy", out JsonElement strategy))
            words += $" patch={strategy.GetString()}";
        if (property.TryGetProperty("x-kubernetes-patch-merge-key", out JsonElement key))
            words += $" key={key.GetString()}";
        string? listType = property.TryGetProperty("x-kubernetes-list-type", out JsonElement value) ? value.GetString() : null;
        if (listType == "map")
            words += $" map={string.Join(',', property.GetProperty("x-kubernetes-list-map-keys").EnumerateArray().Select(k => k.GetString()))}";
        return listType == "set" ? words + " set" : words;
    }

    private string Shape(JsonElement property)
    {
        if (property.TryGetProperty("$ref", out JsonElement reference))
            return Referenced(reference.GetString()!.Split('/')[^1]);
        string? format = property.TryGetProperty("format", out JsonElement value) ? value.GetString() : null;
        switch (property.GetProperty("type").GetString())
        {
            case "array":
                JsonElement items = property.GetProperty("items");
                return items.TryGetProperty("$ref", out JsonElement item) && item.GetString() == Unread ? "unread" : "[]" + Shape(items);
            case "object":
                return property.TryGetProperty("additionalProperties", out JsonElement element) ? "{}" + Shape(element) : "raw";
            case "string":
                return format == "byte" ? "bytes" : "string";
            case "integer":
                return format == "int32" ? "int" : "long";
            case "number":
                return "double";
            case "boolean":
                return "bool";
            case var other:
                throw new InvalidOperationException($"no shape for type {other}");
        }
    }

    private string Referenced(string name)
    {
        if (Scalars.TryGetValue(name, out string? scalar))
            return scalar;
        JsonElement type = definitions.GetProperty(name);
        if (!type.TryGetProperty("properties", out _) && type.TryGetProperty("type", out JsonElement kind) && kind.GetString() == "string")
            return "string";
        Visit(name);
        return ShortName(name);
    }

    private static string ShortName(string name) => Renamed.GetValueOrDefault(name) ?? name.Split('.')[^1];
}
