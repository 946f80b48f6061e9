using System.Text;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>Files made from ConfigMaps and Secrets. Pure. Source: pkg/volume/configmap, pkg/volume/secret.</summary>
internal static class ObjectPayloads
{
    /// <summary>What a null defaultMode means: 0644.</summary>
    public const int DefaultMode = 0x1A4;

    /// <summary>The files of a config map: all keys of data and binaryData, or those of the items.</summary>
    public static Dictionary<string, FileProjection> FromConfigMap(IReadOnlyList<KeyToPath> items, ConfigMap map, int? defaultMode, bool optional)
    {
        var all = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach ((string key, byte[] value) in map.BinaryData)
        {
            all[key] = value;
        }

        foreach ((string key, string value) in map.Data)
        {
            // With items upstream asks data first; without, binaryData is written last. The API server forbids a key in both.
            if (items.Count > 0 || !all.ContainsKey(key))
            {
                all[key] = Encoding.UTF8.GetBytes(value);
            }
        }

        return Select(items, all, defaultMode, optional, $"ConfigMap \"{map.Metadata.Name}\"", key => $"configmap references non-existent config key: {key}");
    }

    /// <summary>The files of a secret.</summary>
    public static Dictionary<string, FileProjection> FromSecret(IReadOnlyList<KeyToPath> items, Secret secret, int? defaultMode, bool optional)
        => Select(
            items, secret.Data.ToDictionary(p => p.Key, p => (ReadOnlyMemory<byte>)p.Value, StringComparer.Ordinal), defaultMode, optional,
            $"Secret \"{secret.Metadata.Name}\"", key => $"references non-existent secret key: {key}");

    private static Dictionary<string, FileProjection> Select(
        IReadOnlyList<KeyToPath> items, Dictionary<string, ReadOnlyMemory<byte>> all, int? defaultMode, bool optional, string source, Func<string, string> missing)
    {
        var files = new Dictionary<string, FileProjection>(StringComparer.Ordinal);
        if (items.Count == 0)
        {
            foreach ((string key, ReadOnlyMemory<byte> value) in all)
            {
                // An API server that is what it should be never sends such a key.
                if (!Segments.IsSafe(key) || key.StartsWith("..", StringComparison.Ordinal))
                {
                    throw new PayloadException($"{source} has the key \"{key}\", which cannot be a file name; rename the key");
                }

                files[key] = new FileProjection(value, defaultMode ?? DefaultMode);
            }

            return files;
        }

        foreach (KeyToPath item in items)
        {
            if (all.TryGetValue(item.Key, out ReadOnlyMemory<byte> value))
            {
                files[item.Path] = new FileProjection(value, item.Mode ?? defaultMode ?? DefaultMode);
            }
            else if (!optional)
            {
                throw new PayloadException(missing(item.Key));
            }
        }

        return files;
    }
}
