using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using NodeAgent.Kubernetes.Certificates;

namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>Writes kubeconfig files: whole or not at all, readable by their owner only.</summary>
public static class KubeconfigWriter
{
    /// <summary>Writes to a temporary file beside <paramref name="path"/>, syncs it and renames it (mode 0600).</summary>
    public static void Write(KubeconfigFile file, string path) => SecretFile.Write(path, Encoding.UTF8.GetBytes(ToYaml(file)));

    /// <summary>The file as YAML.</summary>
    public static string ToYaml(KubeconfigFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        StringBuilder yaml = new("apiVersion: v1\nkind: Config\npreferences: {}\n");
        yaml.Append("clusters:").Append(file.Clusters.Count == 0 ? " []\n" : "\n");
        foreach ((string name, KubeconfigCluster cluster) in file.Clusters)
            AppendCluster(Entry(yaml, name, "cluster"), cluster);
        yaml.Append("users:").Append(file.Users.Count == 0 ? " []\n" : "\n");
        foreach ((string name, KubeconfigUser user) in file.Users)
            AppendUser(Entry(yaml, name, "user"), user);
        yaml.Append("contexts:").Append(file.Contexts.Count == 0 ? " []\n" : "\n");
        foreach ((string name, KubeconfigContext context) in file.Contexts)
        {
            Entry(yaml, name, "context");
            Field(yaml, "cluster", context.Cluster);
            Field(yaml, "user", context.User);
            Field(yaml, "namespace", context.Namespace);
        }
        return yaml.Append("current-context: ").Append(Quoted(file.CurrentContext)).Append('\n').ToString();
    }

    private static void AppendCluster(StringBuilder yaml, KubeconfigCluster cluster)
    {
        Field(yaml, "server", cluster.Server ?? "");
        Field(yaml, "certificate-authority", cluster.CertificateAuthority);
        Data(yaml, "certificate-authority-data", cluster.CertificateAuthorityData);
        Flag(yaml, "insecure-skip-tls-verify", cluster.InsecureSkipTlsVerify);
        Field(yaml, "tls-server-name", cluster.TlsServerName);
        Field(yaml, "proxy-url", cluster.ProxyUrl);
        Flag(yaml, "disable-compression", cluster.DisableCompression);
        if (cluster.ExecExtension is { } extension)
            yaml.Append("    extensions:\n    - name: client.authentication.k8s.io/exec\n      extension: ").Append(extension).Append('\n');
    }

    private static void AppendUser(StringBuilder yaml, KubeconfigUser user)
    {
        int before = yaml.Length;
        Field(yaml, "client-certificate", user.ClientCertificate);
        Data(yaml, "client-certificate-data", user.ClientCertificateData);
        Field(yaml, "client-key", user.ClientKey);
        Data(yaml, "client-key-data", user.ClientKeyData);
        Field(yaml, "token", user.Token);
        Field(yaml, "tokenFile", user.TokenFile);
        Field(yaml, "username", user.Username);
        Field(yaml, "password", user.Password);
        Field(yaml, "as", user.ActAs);
        Field(yaml, "as-uid", user.ActAsUid);
        if (user.ActAsGroups.Count > 0)
            yaml.Append("    as-groups: ").Append(List(user.ActAsGroups)).Append('\n');
        if (user.ActAsExtra.Count > 0)
            yaml.Append("    as-user-extra: {").AppendJoin(", ", user.ActAsExtra.Select(pair => $"{Quoted(pair.Key)}: {List(pair.Value)}")).Append("}\n");
        if (user.Exec is { } exec)
            AppendExec(yaml, exec);
        if (yaml.Length == before)
            yaml.Insert(yaml.Length - 1, " {}");
    }

    private static void AppendExec(StringBuilder yaml, KubeconfigExec exec)
    {
        yaml.Append("    exec:\n");
        const string indent = "      ";
        Field(yaml, "apiVersion", exec.ApiVersion, indent);
        Field(yaml, "command", exec.Command, indent);
        if (exec.Args.Count > 0)
            yaml.Append(indent).Append("args: ").Append(List(exec.Args)).Append('\n');
        if (exec.Env.Count > 0)
        {
            yaml.Append(indent).Append("env: [")
                .AppendJoin(", ", exec.Env.Select(pair => $"{{name: {Quoted(pair.Key)}, value: {Quoted(pair.Value)}}}")).Append("]\n");
        }
        Field(yaml, "installHint", exec.InstallHint, indent);
        yaml.Append(indent).Append("provideClusterInfo: ").Append(exec.ProvideClusterInfo ? "true" : "false").Append('\n');
        Field(yaml, "interactiveMode", exec.InteractiveMode, indent);
    }

    private static StringBuilder Entry(StringBuilder yaml, string name, string field) =>
        yaml.Append("- name: ").Append(Quoted(name)).Append("\n  ").Append(field).Append(":\n");

    private static void Field(StringBuilder yaml, string name, string? value, string indent = "    ")
    {
        if (value is not null)
            yaml.Append(indent).Append(name).Append(": ").Append(Quoted(value)).Append('\n');
    }

    private static void Data(StringBuilder yaml, string name, byte[]? value) => Field(yaml, name, value is null ? null : Convert.ToBase64String(value));

    private static void Flag(StringBuilder yaml, string name, bool value)
    {
        if (value)
            yaml.Append("    ").Append(name).Append(": true\n");
    }

    private static string List(IEnumerable<string> values) => $"[{string.Join(", ", values.Select(Quoted))}]";

    // A JSON string is a YAML double-quoted scalar.
    private static string Quoted(string value) => $"\"{JsonEncodedText.Encode(value, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";
}
