namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>A kubeconfig file as it is written: relative paths not resolved, files not read.</summary>
/// <param name="Path">The file; its folder is where relative paths start. Empty for text without a file.</param>
/// <param name="Clusters">The clusters by name.</param>
/// <param name="Users">The users by name.</param>
/// <param name="Contexts">The contexts by name.</param>
/// <param name="CurrentContext">The context used unless another is asked for; empty if none.</param>
public sealed record KubeconfigFile(
    string Path,
    IReadOnlyDictionary<string, KubeconfigCluster> Clusters,
    IReadOnlyDictionary<string, KubeconfigUser> Users,
    IReadOnlyDictionary<string, KubeconfigContext> Contexts,
    string CurrentContext);

/// <summary>An API server.</summary>
public sealed record KubeconfigCluster
{
    /// <summary>The address.</summary>
    public string? Server { get; init; }

    /// <summary>A PEM file.</summary>
    public string? CertificateAuthority { get; init; }

    /// <summary>PEM, decoded; wins over the file.</summary>
    public byte[]? CertificateAuthorityData { get; init; }

    /// <summary>Accept any certificate.</summary>
    public bool InsecureSkipTlsVerify { get; init; }

    /// <summary>The name in the server's certificate.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>http, https or socks5.</summary>
    public string? ProxyUrl { get; init; }

    /// <summary>Do not ask for gzip.</summary>
    public bool DisableCompression { get; init; }

    /// <summary>The JSON of the extension client.authentication.k8s.io/exec, handed to exec plugins.</summary>
    public string? ExecExtension { get; init; }
}

/// <summary>An identity.</summary>
public sealed record KubeconfigUser
{
    /// <summary>A PEM file.</summary>
    public string? ClientCertificate { get; init; }

    /// <summary>PEM, decoded; wins over the file.</summary>
    public byte[]? ClientCertificateData { get; init; }

    /// <summary>A PEM file.</summary>
    public string? ClientKey { get; init; }

    /// <summary>PEM, decoded; wins over the file.</summary>
    public byte[]? ClientKeyData { get; init; }

    /// <summary>A bearer token.</summary>
    public string? Token { get; init; }

    /// <summary>A file with a bearer token; wins over <see cref="Token"/>.</summary>
    public string? TokenFile { get; init; }

    /// <summary>Basic authentication.</summary>
    public string? Username { get; init; }

    /// <summary>Basic authentication.</summary>
    public string? Password { get; init; }

    /// <summary>Act as this user.</summary>
    public string? ActAs { get; init; }

    /// <summary>Act with this uid.</summary>
    public string? ActAsUid { get; init; }

    /// <summary>Act with these groups.</summary>
    public IReadOnlyList<string> ActAsGroups { get; init; } = [];

    /// <summary>Act with these attributes.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> ActAsExtra { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>A program that gives credentials.</summary>
    public KubeconfigExec? Exec { get; init; }

    /// <summary>Keeps secrets out of logs.</summary>
    public override string ToString() => "KubeconfigUser";
}

/// <summary>A credential plugin (client.authentication.k8s.io).</summary>
public sealed record KubeconfigExec
{
    /// <summary>client.authentication.k8s.io/v1 or v1beta1.</summary>
    public required string ApiVersion { get; init; }

    /// <summary>The program; with a slash, relative to the kubeconfig's folder, otherwise searched in PATH.</summary>
    public required string Command { get; init; }

    /// <summary>Arguments.</summary>
    public IReadOnlyList<string> Args { get; init; } = [];

    /// <summary>Further environment variables.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Env { get; init; } = [];

    /// <summary>What to tell a user when the program is missing.</summary>
    public string? InstallHint { get; init; }

    /// <summary>Hand the cluster's data to the program.</summary>
    public bool ProvideClusterInfo { get; init; }

    /// <summary>Never, IfAvailable or Always.</summary>
    public string? InteractiveMode { get; init; }

    /// <summary>Keeps secrets out of logs.</summary>
    public override string ToString() => $"KubeconfigExec {Command}";
}

/// <summary>A user at a cluster.</summary>
/// <param name="Cluster">The cluster's name.</param>
/// <param name="User">The user's name; empty for none.</param>
/// <param name="Namespace">The default namespace.</param>
public sealed record KubeconfigContext(string Cluster, string User, string? Namespace);

/// <summary>A kubeconfig cannot be used. The message names file and field and says what to do.</summary>
public sealed class KubeconfigException(string path, string field, string problem, Exception? inner = null)
    : Exception($"{(path.Length == 0 ? "kubeconfig" : path)}: {(field.Length == 0 ? "" : field + ": ")}{problem}", inner)
{
    /// <summary>The file.</summary>
    public string Path { get; } = path;

    /// <summary>The field, for example clusters[default].server; empty for the whole file.</summary>
    public string Field { get; } = field;
}
