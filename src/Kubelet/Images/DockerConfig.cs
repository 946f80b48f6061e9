using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NodeAgent.Kubelet.Images;

/// <summary>Reads Docker's two formats of credentials. Pure. Source: pkg/credentialprovider/config.go.</summary>
internal static class DockerConfig
{
    /// <summary>Registry keys with their credentials.</summary>
    /// <param name="where">What the content is called in an error.</param>
    /// <param name="content">JSON.</param>
    /// <param name="legacy">True for .dockercfg, which has the registries at its top; else they are in "auths".</param>
    /// <param name="secret">The pull secret it is from.</param>
    /// <exception cref="FormatException">It is not of the format; the message never has the content.</exception>
    public static IReadOnlyList<(string Key, RegistryCredential Credential)> Parse(string where, ReadOnlySpan<byte> content, bool legacy, CredentialOwner? secret = null)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(content);
        }
        catch (JsonException)
        {
            throw new FormatException($"{where} is not JSON");
        }

        if (root is not null and not JsonObject)
        {
            throw new FormatException($"{where} is not a JSON object");
        }

        JsonObject? entries = legacy ? root as JsonObject : root?["auths"] as JsonObject;
        return [.. (entries ?? []).Where(e => e.Value is JsonObject).Select(e => (e.Key, Credential(where, (JsonObject)e.Value!, secret)))];
    }

    private static RegistryCredential Credential(string where, JsonObject entry, CredentialOwner? secret)
    {
        (string user, string password) = Text(entry, "auth") is { Length: > 0 } auth ? Decode(where, auth) : (Text(entry, "username"), Text(entry, "password"));
        return new RegistryCredential(user, password, Text(entry, "email")) { Secret = secret };
    }

    private static (string User, string Password) Decode(string where, string auth)
    {
        string bare = auth.Trim().TrimEnd('=');
        byte[] decoded = new byte[bare.Length];
        if (Convert.TryFromBase64String(bare + new string('=', (4 - (bare.Length % 4)) % 4), decoded, out int length))
        {
            string pair = Encoding.UTF8.GetString(decoded, 0, length);
            int colon = pair.IndexOf(':', StringComparison.Ordinal);
            if (colon >= 0)
            {
                return (pair[..colon], pair[(colon + 1)..]);
            }
        }

        throw new FormatException($"{where} has an auth field that is not base64(username:password)");
    }

    private static string Text(JsonObject entry, string name) => entry[name] is JsonValue v && v.TryGetValue(out string? text) ? text : "";
}
