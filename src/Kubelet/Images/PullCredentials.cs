using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Images;

/// <summary>A user name and password for a registry. Prints nothing of itself.</summary>
internal sealed class RegistryCredential(string username, string password)
{
    public string Username => username;

    public string Password => password;

    public override string ToString() => "***";
}

/// <summary>Finds the credentials of pull secrets that fit an image. Pure. Source: pkg/credentialprovider/keyring.go.</summary>
internal static class PullCredentials
{
    /// <summary>Credentials that fit, most specific registry key first.</summary>
    /// <exception cref="FormatException">A secret's content is not what its type says; names the secret, never its content.</exception>
    public static IReadOnlyList<RegistryCredential> Find(IEnumerable<Secret> secrets, string image)
    {
        var found = new List<(string Key, RegistryCredential Credential)>();
        foreach (Secret secret in secrets)
        {
            found.AddRange(Entries(secret).Where(e => Fits(e.Key, image)));
        }

        return [.. found.OrderByDescending(f => f.Key, StringComparer.Ordinal).Select(f => f.Credential)];
    }

    private static IEnumerable<(string Key, RegistryCredential Credential)> Entries(Secret secret)
    {
        string where = $"secret {secret.Metadata.Namespace}/{secret.Metadata.Name}";
        JsonObject? auths = secret.Type switch
        {
            "kubernetes.io/dockerconfigjson" => Parse(where, secret, ".dockerconfigjson")?["auths"] as JsonObject,
            "kubernetes.io/dockercfg" => Parse(where, secret, ".dockercfg"),
            _ => null,
        };
        foreach ((string key, JsonNode? value) in auths ?? [])
        {
            if (value is JsonObject entry && Credential(entry) is { } credential)
            {
                yield return (Normalize(key), credential);
            }
        }
    }

    private static JsonObject? Parse(string where, Secret secret, string key)
    {
        if (!secret.Data.TryGetValue(key, out byte[]? data))
        {
            return null;
        }

        try
        {
            return JsonNode.Parse(data) as JsonObject;
        }
        catch (JsonException)
        {
            throw new FormatException($"{where}: {key} is not JSON");
        }
    }

    private static RegistryCredential? Credential(JsonObject entry)
    {
        string user = Text(entry, "username"), password = Text(entry, "password");
        if (user.Length == 0 && Text(entry, "auth") is { Length: > 0 } auth)
        {
            byte[] decoded = new byte[auth.Length];
            if (!Convert.TryFromBase64String(auth, decoded, out int length))
            {
                return null;
            }

            string pair = Encoding.UTF8.GetString(decoded, 0, length);
            int colon = pair.IndexOf(':', StringComparison.Ordinal);
            (user, password) = colon < 0 ? (pair, "") : (pair[..colon], pair[(colon + 1)..]);
        }

        return user.Length + password.Length > 0 ? new RegistryCredential(user, password) : null;
    }

    private static string Text(JsonObject entry, string name) => entry[name] is JsonValue v && v.TryGetValue(out string? text) ? text : "";

    private static string Normalize(string key)
    {
        int scheme = key.IndexOf("://", StringComparison.Ordinal);
        string host = scheme >= 0 ? key[(scheme + 3)..] : key;
        foreach (string version in (string[])["/v1/", "/v2/", "/v1", "/v2"])
        {
            host = host.EndsWith(version, StringComparison.Ordinal) ? host[..^version.Length] : host;
        }

        return host.TrimEnd('/');
    }

    private static bool Fits(string key, string image)
    {
        (string registry, string path) = ImageName.Split(image);
        if (registry == "docker.io" && key is "index.docker.io" or "docker.io" or "registry-1.docker.io")
        {
            return registry == "docker.io";
        }

        int slash = key.IndexOf('/', StringComparison.Ordinal);
        string host = slash < 0 ? key : key[..slash], prefix = slash < 0 ? "" : key[(slash + 1)..];
        return HostFits(host, registry) && (prefix.Length == 0 || path == prefix || path.StartsWith(prefix + "/", StringComparison.Ordinal) || path.StartsWith(prefix + ":", StringComparison.Ordinal));
    }

    private static bool HostFits(string glob, string host)
    {
        (string globName, string globPort) = Port(glob);
        (string hostName, string hostPort) = Port(host);
        string[] a = globName.Split('.'), b = hostName.Split('.');
        return globPort == hostPort && a.Length == b.Length && a.Zip(b).All(p => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(p.First, p.Second, ignoreCase: false));
    }

    private static (string Name, string Port) Port(string host)
    {
        int colon = host.LastIndexOf(':');
        return colon < 0 ? (host, "") : (host[..colon], host[(colon + 1)..]);
    }
}
