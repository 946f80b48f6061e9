using System.Security.Cryptography;
using System.Text;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>Turns a kubeconfig's context into a <see cref="ClientConfiguration"/>, checking all of it at once.</summary>
public static class KubeconfigLoader
{
    /// <summary>Reads the file and resolves a context.</summary>
    /// <param name="path">The kubeconfig.</param>
    /// <param name="context">Another context than the current one.</param>
    /// <param name="server">Replaces the cluster's address (kube-proxy's --master).</param>
    /// <param name="time">The clock for reloads and expiry.</param>
    /// <exception cref="KubeconfigException">Names file, field and remedy.</exception>
    public static ClientConfiguration Load(string path, string? context = null, string? server = null, TimeProvider? time = null) =>
        Resolve(KubeconfigReader.Read(path), context, server, time);

    /// <summary>Resolves a context of a kubeconfig that is read already.</summary>
    public static ClientConfiguration Resolve(KubeconfigFile file, string? context = null, string? server = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        TimeProvider clock = time ?? TimeProvider.System;
        string name = string.IsNullOrEmpty(context) ? file.CurrentContext : context;
        if (name.Length == 0)
            throw new KubeconfigException(file.Path, "current-context", "is not set; name one of the contexts");
        KubeconfigContext chosen = Find(file, file.Contexts, name, "current-context", "contexts");
        KubeconfigCluster cluster = Find(file, file.Clusters, chosen.Cluster, $"contexts[{name}].context.cluster", "clusters");
        KubeconfigUser user = chosen.User.Length == 0
            ? new KubeconfigUser()
            : Find(file, file.Users, chosen.User, $"contexts[{name}].context.user", "users");
        Uri address = Server(file, server ?? cluster.Server, chosen.Cluster);
        ExecPlugin? exec = user.Exec is { } spec ? new ExecPlugin(Checked(file, chosen.User, spec), cluster, address, FolderOf(file), clock) : null;
        return new ClientConfiguration
        {
            Server = address,
            Source = file.Path.Length == 0 ? "kubeconfig" : file.Path,
            CertificateAuthority = Authority(file, cluster, chosen.Cluster, clock),
            InsecureSkipTlsVerify = cluster.InsecureSkipTlsVerify,
            TlsServerName = cluster.TlsServerName,
            Proxy = Proxy(file, cluster, chosen.Cluster),
            DisableCompression = cluster.DisableCompression,
            ClientCertificate = Certificate(file, user, chosen.User, clock) ?? exec,
            Credentials = Credentials(file, user, chosen.User, clock) ?? exec,
            Impersonate = Impersonate(file, user, chosen.User),
            Namespace = string.IsNullOrEmpty(chosen.Namespace) ? "default" : chosen.Namespace,
        };
    }

    private static T Find<T>(KubeconfigFile file, IReadOnlyDictionary<string, T> entries, string name, string field, string list)
    {
        if (entries.TryGetValue(name, out T? entry))
            return entry;
        string known = entries.Count == 0 ? $"{list} is empty" : $"{list} has {string.Join(", ", entries.Keys.Order(StringComparer.Ordinal))}";
        throw new KubeconfigException(file.Path, field, $"\"{name}\" is not defined; {known}");
    }

    private static Uri Server(KubeconfigFile file, string? text, string cluster)
    {
        string field = $"clusters[{cluster}].cluster.server";
        if (string.IsNullOrWhiteSpace(text))
            throw new KubeconfigException(file.Path, field, "is missing; set it to the API server's address, for example https://10.0.0.1:6443");
        string full = text.Contains("://", StringComparison.Ordinal) ? text : "https://" + text;
        if (!Uri.TryCreate(full, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("https" or "http") || uri.Query.Length > 0)
            throw new KubeconfigException(file.Path, field, $"\"{text}\" is no address; use a form like https://10.0.0.1:6443");
        return uri;
    }

    private static ICertificateAuthoritySource? Authority(KubeconfigFile file, KubeconfigCluster cluster, string name, TimeProvider time)
    {
        bool data = cluster.CertificateAuthorityData is { Length: > 0 };
        string field = $"clusters[{name}].cluster.certificate-authority{(data ? "-data" : "")}";
        bool any = data || !string.IsNullOrEmpty(cluster.CertificateAuthority);
        if (any && cluster.InsecureSkipTlsVerify)
            throw new KubeconfigException(file.Path, field, "cannot be used together with insecure-skip-tls-verify; remove one of them");
        try
        {
            if (data)
                return FixedCertificateAuthorities.FromPem(Encoding.UTF8.GetString(cluster.CertificateAuthorityData!));
            if (!any)
                return null;
            FileCertificateAuthorities source = new(Absolute(file, cluster.CertificateAuthority!), time);
            source.Get();
            return source;
        }
        catch (Exception e) when (e is CryptographicException or ApiUnreachableException)
        {
            throw new KubeconfigException(file.Path, field, $"{e.Message}; it must be a PEM file with the cluster's CA", e);
        }
    }

    private static Uri? Proxy(KubeconfigFile file, KubeconfigCluster cluster, string name)
    {
        if (string.IsNullOrEmpty(cluster.ProxyUrl))
            return null;
        if (!Uri.TryCreate(cluster.ProxyUrl, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https" or "socks5"))
            throw new KubeconfigException(file.Path, $"clusters[{name}].cluster.proxy-url", "must start with http://, https:// or socks5://");
        return uri;
    }

    private static IClientCertificateSource? Certificate(KubeconfigFile file, KubeconfigUser user, string name, TimeProvider time)
    {
        bool certificate = user.ClientCertificateData is not null || !string.IsNullOrEmpty(user.ClientCertificate);
        bool key = user.ClientKeyData is not null || !string.IsNullOrEmpty(user.ClientKey);
        if (!certificate && !key)
            return null;
        string field = $"users[{name}].user.client-{(certificate ? "certificate" : "key")}";
        if (certificate != key)
            throw new KubeconfigException(file.Path, field, $"needs client-{(certificate ? "key" : "certificate")} too");
        string certificatePath = Absolute(file, user.ClientCertificate ?? ""), keyPath = Absolute(file, user.ClientKey ?? "");
        try
        {
            if (user.ClientCertificateData is null && user.ClientKeyData is null)
                return new FileClientCertificate(certificatePath, keyPath, time).Probe();
            return new FixedClientCertificate(ClientCertificate.FromPem(
                user.ClientCertificateData is { } inline ? Encoding.UTF8.GetString(inline) : File.ReadAllText(certificatePath),
                user.ClientKeyData is { } secret ? Encoding.UTF8.GetString(secret) : File.ReadAllText(keyPath)));
        }
        catch (Exception e) when (e is CryptographicException or ApiUnreachableException or IOException or UnauthorizedAccessException)
        {
            throw new KubeconfigException(file.Path, field, $"{e.Message}; certificate and key must be matching PEM", e);
        }
    }

    private static IRequestCredentials? Credentials(KubeconfigFile file, KubeconfigUser user, string name, TimeProvider time)
    {
        bool token = !string.IsNullOrEmpty(user.Token) || !string.IsNullOrEmpty(user.TokenFile);
        bool basic = !string.IsNullOrEmpty(user.Username) || !string.IsNullOrEmpty(user.Password);
        if (token && basic)
            throw new KubeconfigException(file.Path, $"users[{name}].user", "has a token and a user name; only one kind is allowed, remove the other");
        if (!string.IsNullOrEmpty(user.TokenFile))
            return new TokenFileCredentials(Absolute(file, user.TokenFile), time);
        if (token)
            return new TokenCredentials(user.Token!);
        return basic ? new BasicCredentials(user.Username ?? "", user.Password ?? "") : null;
    }

    private static Impersonation? Impersonate(KubeconfigFile file, KubeconfigUser user, string name)
    {
        if (!string.IsNullOrEmpty(user.ActAs))
            return new Impersonation(user.ActAs, user.ActAsUid, user.ActAsGroups, user.ActAsExtra);
        if (user.ActAsGroups.Count > 0 || user.ActAsExtra.Count > 0 || !string.IsNullOrEmpty(user.ActAsUid))
            throw new KubeconfigException(file.Path, $"users[{name}].user.as", "is needed with as-uid, as-groups and as-user-extra; set the user to act as");
        return null;
    }

    private static KubeconfigExec Checked(KubeconfigFile file, string name, KubeconfigExec exec)
    {
        string place = $"users[{name}].user.exec";
        if (exec.Command.Length == 0)
            throw new KubeconfigException(file.Path, $"{place}.command", "is missing; name the plugin's program");
        if (exec.ApiVersion is not ("client.authentication.k8s.io/v1" or "client.authentication.k8s.io/v1beta1"))
            throw new KubeconfigException(file.Path, $"{place}.apiVersion", $"\"{exec.ApiVersion}\" is not supported; use client.authentication.k8s.io/v1");
        if (exec.Env.Any(variable => variable.Key.Length == 0))
            throw new KubeconfigException(file.Path, $"{place}.env", "has an entry without a name");
        bool optional = exec.ApiVersion.EndsWith("v1beta1", StringComparison.Ordinal) && string.IsNullOrEmpty(exec.InteractiveMode);
        if (!optional && exec.InteractiveMode is not ("Never" or "IfAvailable"))
        {
            throw new KubeconfigException(file.Path, $"{place}.interactiveMode", exec.InteractiveMode == "Always"
                ? "is Always, but an agent has no terminal; use Never or IfAvailable with a plugin that needs no input"
                : $"must be Never or IfAvailable for {exec.ApiVersion}");
        }
        return exec;
    }

    private static string FolderOf(KubeconfigFile file) =>
        file.Path.Length == 0 ? Environment.CurrentDirectory : Path.GetDirectoryName(Path.GetFullPath(file.Path))!;

    private static string Absolute(KubeconfigFile file, string path) => path.Length == 0 ? path : Path.GetFullPath(path, FolderOf(file));
}
