namespace NodeAgent.Kubelet.Images;

/// <summary>
/// Credentials every pod of the node may use: config.json, else .dockercfg, the first readable one of the agent's root folder, the
/// working folder, the home folder and "/". Looked at again after five minutes. Source: pkg/credentialprovider/config.go, defaults.go.
/// </summary>
/// <param name="rootFolder">--root-dir.</param>
/// <param name="home">The home folder; null = none.</param>
/// <param name="time">Clock.</param>
internal sealed class NodeDockerConfig(string rootFolder, string? home, TimeProvider time)
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);
    private readonly Lock _lock = new();
    private IReadOnlyList<(string Key, RegistryCredential Credential)> _entries = [];
    private DateTimeOffset _expires = DateTimeOffset.MinValue;

    public IReadOnlyList<RegistryCredential> Find(string image)
    {
        var keyring = new RegistryKeyring();
        foreach ((string key, RegistryCredential credential) in Entries())
        {
            keyring.Add(key, credential);
        }

        return keyring.Lookup(ImageName.Repository(image));
    }

    private IReadOnlyList<(string Key, RegistryCredential Credential)> Entries()
    {
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            if (now >= _expires)
            {
                (_entries, _expires) = (Read(), now + Life);
            }

            return _entries;
        }
    }

    private IReadOnlyList<(string Key, RegistryCredential Credential)> Read()
    {
        string[] current = [rootFolder, Environment.CurrentDirectory, .. home is null ? [] : new[] { Path.Combine(home, ".docker") }, "/.docker"];
        string[] legacy = [rootFolder, Environment.CurrentDirectory, .. home is null ? [] : new[] { home }, "/"];
        return Read(current.Select(f => Path.Combine(f, "config.json")), false) ?? Read(legacy.Select(f => Path.Combine(f, ".dockercfg")), true) ?? [];
    }

    private static IReadOnlyList<(string Key, RegistryCredential Credential)>? Read(IEnumerable<string> files, bool legacy)
    {
        foreach (string file in files.Where(File.Exists))
        {
            try
            {
                return DockerConfig.Parse(file, File.ReadAllBytes(file), legacy);
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                // As upstream: the next place may have a better one.
            }
        }

        return null;
    }
}
