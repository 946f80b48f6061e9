using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>Reads kubeconfig files (YAML or JSON). Unknown fields are ignored, as upstream does.</summary>
public static class KubeconfigReader
{
    /// <summary>Reads a file.</summary>
    /// <exception cref="KubeconfigException">The file is missing, unreadable or malformed.</exception>
    public static KubeconfigFile Read(string path)
    {
        try
        {
            string full = Path.GetFullPath(path);
            return Parse(File.ReadAllText(full), full);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new KubeconfigException(path, "", "does not exist; create it (kubeadm join does) or name another file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KubeconfigException(path, "", $"cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Reads text; relative paths are later resolved against the folder of <paramref name="path"/>.</summary>
    public static KubeconfigFile Parse(string text, string path = "")
    {
        YamlStream stream = [];
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new KubeconfigException(path, "", $"is not YAML: line {e.Start.Line}, column {e.Start.Column}: {e.Message}", e);
        }
        YamlNode? root = stream.Documents.Count == 0 ? null : stream.Documents[0].RootNode;
        if (root is not null and not YamlMappingNode && !(root is YamlScalarNode { Value: null or "" }))
            throw new KubeconfigException(path, "", "must be a mapping with clusters, users and contexts");
        YamlFields top = new(path, "", root as YamlMappingNode);
        if (top.Text("kind") is { } kind and not "Config" and not "")
            throw new KubeconfigException(path, "kind", $"is \"{kind}\", not Config: this is no kubeconfig");
        return new KubeconfigFile(
            path,
            Entries(path, top, "clusters", "cluster", Cluster),
            Entries(path, top, "users", "user", User),
            Entries(path, top, "contexts", "context", Context),
            top.Text("current-context") ?? "");
    }

    private static Dictionary<string, T> Entries<T>(string path, YamlFields top, string list, string field, Func<YamlFields, T> read)
    {
        Dictionary<string, T> entries = [];
        foreach (YamlFields entry in top.Maps(list))
        {
            string name = entry.Text("name") ?? throw new KubeconfigException(path, entry.Where("name"), "is missing");
            // Of several entries of one name the first counts, as upstream.
            entries.TryAdd(name, read(entry.Named(name).Map(field)));
        }
        return entries;
    }

    private static KubeconfigCluster Cluster(YamlFields fields) => new()
    {
        Server = fields.Text("server"),
        CertificateAuthority = fields.Text("certificate-authority"),
        CertificateAuthorityData = fields.Data("certificate-authority-data"),
        InsecureSkipTlsVerify = fields.Flag("insecure-skip-tls-verify"),
        TlsServerName = fields.Text("tls-server-name"),
        ProxyUrl = fields.Text("proxy-url"),
        DisableCompression = fields.Flag("disable-compression"),
        ExecExtension = fields.Maps("extensions")
            .Where(extension => extension.Text("name") == "client.authentication.k8s.io/exec")
            .Select(extension => extension.Json("extension")?.ToJsonString())
            .FirstOrDefault(),
    };

    private static KubeconfigUser User(YamlFields fields) => new()
    {
        ClientCertificate = fields.Text("client-certificate"),
        ClientCertificateData = fields.Data("client-certificate-data"),
        ClientKey = fields.Text("client-key"),
        ClientKeyData = fields.Data("client-key-data"),
        Token = fields.Text("token"),
        TokenFile = fields.Text("tokenFile"),
        Username = fields.Text("username"),
        Password = fields.Text("password"),
        ActAs = fields.Text("as"),
        ActAsUid = fields.Text("as-uid"),
        ActAsGroups = fields.Texts("as-groups"),
        ActAsExtra = fields.TextLists("as-user-extra"),
        Exec = Exec(fields.Map("exec")),
    };

    private static KubeconfigExec? Exec(YamlFields fields) => !fields.Present ? null : new KubeconfigExec
    {
        ApiVersion = fields.Text("apiVersion") ?? "",
        Command = fields.Text("command") ?? "",
        Args = fields.Texts("args"),
        Env = [.. fields.Maps("env").Select(variable => KeyValuePair.Create(variable.Text("name") ?? "", variable.Text("value") ?? ""))],
        InstallHint = fields.Text("installHint"),
        ProvideClusterInfo = fields.Flag("provideClusterInfo"),
        InteractiveMode = fields.Text("interactiveMode"),
    };

    private static KubeconfigContext Context(YamlFields fields) =>
        new(fields.Text("cluster") ?? "", fields.Text("user") ?? "", fields.Text("namespace"));
}
