using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Images;

/// <summary>Finds the credentials of pull secrets that fit an image. Pure. Source: pkg/credentialprovider/secrets/secrets.go.</summary>
internal static class PullCredentials
{
    /// <summary>Credentials that fit, most specific registry key first. Secrets of other types are not looked at.</summary>
    /// <exception cref="FormatException">A secret's content is not what its type says; names the secret, never its content.</exception>
    public static IReadOnlyList<RegistryCredential> Find(IEnumerable<Secret> secrets, string image)
    {
        var keyring = new RegistryKeyring();
        foreach (Secret secret in secrets)
        {
            (string field, bool legacy) = secret.Type switch
            {
                "kubernetes.io/dockerconfigjson" => (".dockerconfigjson", false),
                "kubernetes.io/dockercfg" => (".dockercfg", true),
                _ => ("", false),
            };
            if (field.Length == 0 || !secret.Data.TryGetValue(field, out byte[]? content) || content.Length == 0)
            {
                continue;
            }

            ObjectMeta meta = secret.Metadata;
            var owner = new CredentialOwner(meta.Uid ?? "", meta.Namespace ?? "", meta.Name ?? "");
            foreach ((string key, RegistryCredential credential) in DockerConfig.Parse($"secret {meta.Namespace}/{meta.Name}: {field}", content, legacy, owner))
            {
                keyring.Add(key, credential);
            }
        }

        return keyring.Lookup(ImageName.Repository(image));
    }
}
