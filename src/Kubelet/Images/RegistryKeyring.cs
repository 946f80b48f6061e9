using System.IO.Enumeration;

namespace NodeAgent.Kubelet.Images;

/// <summary>Credentials by the registry (and path) they are for. Source: pkg/credentialprovider/keyring.go.</summary>
internal sealed class RegistryKeyring
{
    private const string DefaultRegistry = "index.docker.io";
    private readonly List<(string Key, RegistryCredential Credential)> _entries = [];

    /// <summary>Adds a credential under a key such as https://index.docker.io/v1/, quay.io/team or *.example.com:5000.</summary>
    public void Add(string key, RegistryCredential credential) => _entries.Add((Normalize(key), credential));

    /// <summary>
    /// Credentials that fit a repository (registry and path, no tag), most specific key first. Where none fits, those of the default
    /// registry for an image from there.
    /// </summary>
    public IReadOnlyList<RegistryCredential> Lookup(string repository)
    {
        RegistryCredential[] found = [.. _entries.Where(e => Matches(e.Key, repository)).OrderByDescending(e => e.Key, StringComparer.Ordinal).Select(e => e.Credential)];
        return found.Length > 0 || !IsDefaultRegistry(repository) ? found : [.. _entries.Where(e => e.Key == DefaultRegistry).Select(e => e.Credential)];
    }

    /// <summary>True where the glob fits: as many host labels, each by its glob, the same port, and the path a prefix.</summary>
    public static bool Matches(string glob, string image)
    {
        (string[] globLabels, string globPort, string globPath) = Split(glob);
        (string[] labels, string port, string path) = Split(image);
        return globPort == port && globLabels.Length == labels.Length && path.StartsWith(globPath, StringComparison.Ordinal)
            && globLabels.Zip(labels).All(p => FileSystemName.MatchesSimpleExpression(p.First, p.Second, ignoreCase: false));
    }

    /// <summary>The registry's host as credential providers' caches name it: what is before the first slash.</summary>
    public static string Registry(string image) => image.Split('/')[0];

    private static string Normalize(string key)
    {
        string bare = key.StartsWith("https://", StringComparison.Ordinal) ? key[8..] : key.StartsWith("http://", StringComparison.Ordinal) ? key[7..] : key;
        int slash = bare.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
        {
            return bare;
        }

        string path = bare[slash..];
        path = path.StartsWith("/v1/", StringComparison.Ordinal) || path.StartsWith("/v2/", StringComparison.Ordinal) ? path[3..] : path;
        return path == "/" ? bare[..slash] : bare[..slash] + path;
    }

    private static (string[] Labels, string Port, string Path) Split(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string host = slash < 0 ? text : text[..slash];
        int colon = host.LastIndexOf(':');
        bool hasPort = colon >= 0 && !host.EndsWith(']');
        return ((hasPort ? host[..colon] : host).Split('.'), hasPort ? host[(colon + 1)..] : "", slash < 0 ? "" : text[slash..]);
    }

    private static bool IsDefaultRegistry(string repository)
    {
        int slash = repository.IndexOf('/', StringComparison.Ordinal);
        string first = slash < 0 ? "" : repository[..slash];
        return repository.Length > 0 && (slash < 0 || (slash > 0 && (first is "docker.io" or "index.docker.io" || first.IndexOfAny(['.', ':']) < 0)));
    }
}
