using System.Security.Cryptography;
using System.Text;

namespace NodeAgent.Kubelet.Images;

/// <summary>The API object a credential is from; the pods that may use the object may use the image.</summary>
/// <param name="Uid">metadata.uid.</param>
/// <param name="Namespace">metadata.namespace.</param>
/// <param name="Name">metadata.name.</param>
internal sealed record CredentialOwner(string Uid, string Namespace, string Name);

/// <summary>A user name and password for a registry. Prints nothing of itself.</summary>
internal sealed class RegistryCredential(string username, string password, string email = "")
{
    public string Username => username;

    public string Password => password;

    public string Email => email;

    /// <summary>The pull secret it is from; null for others.</summary>
    public CredentialOwner? Secret { get; init; }

    /// <summary>The service account a credential provider gave it for; null for others.</summary>
    public CredentialOwner? ServiceAccount { get; init; }

    /// <summary>True where every pod of the node has it.</summary>
    public bool IsOfNode => Secret is null && ServiceAccount is null;

    /// <summary>SHA-256, hexadecimal, of the credential as upstream's JSON writes it. Source: hashAuthConfig in pkg/credentialprovider/keyring.go.</summary>
    public string Hash()
    {
        var json = new StringBuilder("{");
        foreach ((string name, string value) in ((string, string)[])[("username", username), ("password", password), ("email", email)])
        {
            if (value.Length > 0)
            {
                json.Append(json.Length > 1 ? "," : "").Append('"').Append(name).Append("\":");
                AppendGoString(json, value);
            }
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json.Append('}').ToString())));
    }

    public override string ToString() => "***";

    private static void AppendGoString(StringBuilder json, string value)
    {
        json.Append('"');
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' => json.Append("\\\""),
                '\\' => json.Append("\\\\"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                < ' ' or '<' or '>' or '&' or '\u2028' or '\u2029' => json.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        }

        json.Append('"');
    }
}
