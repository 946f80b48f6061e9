using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubelet.Images;

/// <summary>A pull secret that an image was pulled with.</summary>
/// <param name="Owner">The secret.</param>
/// <param name="Hash">SHA-256 of the credential.</param>
internal sealed record PulledWithSecret(CredentialOwner Owner, string Hash);

/// <summary>Who may use an image under one of its names.</summary>
/// <param name="NodePodsAccessible">Every pod of the node; the lists are empty then.</param>
/// <param name="Secrets">Pods that have one of these.</param>
/// <param name="ServiceAccounts">Pods of one of these.</param>
internal sealed record PullAccess(bool NodePodsAccessible, IReadOnlyList<PulledWithSecret> Secrets, IReadOnlyList<CredentialOwner> ServiceAccounts)
{
    /// <summary>What a successful pull proves; null = an anonymous one.</summary>
    public static PullAccess By(RegistryCredential? credential) => credential switch
    {
        { Secret: { } secret } => new(false, [new PulledWithSecret(secret, credential.Hash())], []),
        { ServiceAccount: { } account } => new(false, [], [account]),
        _ => new(true, [], []),
    };

    /// <summary>Both together; the same object where the other adds nothing.</summary>
    public PullAccess With(PullAccess other)
    {
        if (NodePodsAccessible || other.NodePodsAccessible)
        {
            return NodePodsAccessible ? this : other;
        }

        bool newSecrets = other.Secrets.Any(s => !Secrets.Contains(s)), newAccounts = other.ServiceAccounts.Any(a => !ServiceAccounts.Contains(a));
        return !newSecrets && !newAccounts ? this : new PullAccess(
            false,
            [.. Secrets.Where(s => !other.Secrets.Any(o => o.Owner == s.Owner)).Concat(other.Secrets)
                .OrderBy(s => s.Owner.Namespace, StringComparer.Ordinal).ThenBy(s => s.Owner.Name, StringComparer.Ordinal).ThenBy(s => s.Owner.Uid, StringComparer.Ordinal)],
            [.. ServiceAccounts.Union(other.ServiceAccounts)
                .OrderBy(a => a.Namespace, StringComparer.Ordinal).ThenBy(a => a.Name, StringComparer.Ordinal).ThenBy(a => a.Uid, StringComparer.Ordinal)]);
    }
}

/// <summary>An image the agent pulled. Source: ImagePulledRecord in staging/src/k8s.io/kubelet/config/v1beta1/types.go.</summary>
/// <param name="ImageRef">The runtime's reference.</param>
/// <param name="UpdatedAt">Last change.</param>
/// <param name="Access">By the name in a pod's spec without tag and digest.</param>
internal sealed record PulledRecord(string ImageRef, DateTimeOffset UpdatedAt, IReadOnlyDictionary<string, PullAccess> Access);

/// <summary>The records' JSON, as the Go kubelet reads and writes it. Pure.</summary>
internal static class PullRecordFormat
{
    private const string Group = "kubelet.config.k8s.io/";
    private const string Written = Group + "v1beta1";
    private static readonly string[] Known = [Written, Group + "v1alpha1"];

    public static byte[] Intent(string image) => Bytes(new JsonObject { ["kind"] = "ImagePullIntent", ["apiVersion"] = Written, ["image"] = image });

    /// <summary>The image of an intent.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static string Intent(ReadOnlySpan<byte> content) => Text(Parse(content, "ImagePullIntent"), "image");

    public static byte[] Pulled(PulledRecord record)
    {
        var json = new JsonObject
        {
            ["kind"] = "ImagePulledRecord",
            ["apiVersion"] = Written,
            ["lastUpdatedTime"] = record.UpdatedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            ["imageRef"] = record.ImageRef,
        };
        if (record.Access.Count > 0)
        {
            json["credentialMapping"] = new JsonObject(record.Access.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => KeyValuePair.Create(a.Key, (JsonNode?)Access(a.Value))));
        }

        return Bytes(json);
    }

    /// <exception cref="FormatException">It is none.</exception>
    public static PulledRecord Pulled(ReadOnlySpan<byte> content)
    {
        JsonObject json = Parse(content, "ImagePulledRecord");
        bool dated = DateTimeOffset.TryParse(Text(json, "lastUpdatedTime"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset at);
        return new PulledRecord(Text(json, "imageRef"), dated ? at : DateTimeOffset.UnixEpoch,
            (json["credentialMapping"] as JsonObject ?? []).Where(e => e.Value is JsonObject).ToDictionary(e => e.Key, e => Access((JsonObject)e.Value!)));
    }

    private static JsonObject Access(PullAccess access)
    {
        var json = new JsonObject();
        if (access.Secrets.Count > 0)
        {
            json["kubernetesSecrets"] = new JsonArray([.. access.Secrets.Select(s => { JsonObject o = Owner(s.Owner); o["credentialHash"] = s.Hash; return o; })]);
        }

        if (access.ServiceAccounts.Count > 0)
        {
            json["kubernetesServiceAccounts"] = new JsonArray([.. access.ServiceAccounts.Select(Owner)]);
        }

        if (access.NodePodsAccessible)
        {
            json["nodePodsAccessible"] = true;
        }

        return json;
    }

    private static PullAccess Access(JsonObject json) => new(
        json["nodePodsAccessible"] is JsonValue v && v.TryGetValue(out bool all) && all,
        [.. Objects(json, "kubernetesSecrets").Select(s => new PulledWithSecret(Owner(s), Text(s, "credentialHash")))],
        [.. Objects(json, "kubernetesServiceAccounts").Select(Owner)]);

    private static IEnumerable<JsonObject> Objects(JsonObject json, string name) => (json[name] as JsonArray ?? []).OfType<JsonObject>();

    private static JsonObject Owner(CredentialOwner owner) => new() { ["uid"] = owner.Uid, ["namespace"] = owner.Namespace, ["name"] = owner.Name };

    private static CredentialOwner Owner(JsonObject json) => new(Text(json, "uid"), Text(json, "namespace"), Text(json, "name"));

    private static string Text(JsonObject json, string name) => json[name] is JsonValue v && v.TryGetValue(out string? text) ? text : "";

    private static byte[] Bytes(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString() + "\n");

    private static JsonObject Parse(ReadOnlySpan<byte> content, string kind)
    {
        try
        {
            return JsonNode.Parse(content) is JsonObject json && Text(json, "kind") == kind && Known.Contains(Text(json, "apiVersion")) ? json
                : throw new FormatException($"is no {kind} of {Written}");
        }
        catch (JsonException e)
        {
            throw new FormatException($"is no JSON: {e.Message}");
        }
    }
}
