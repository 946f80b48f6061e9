using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>The identity of a pod: the API server's address from the environment, token and CA from the service account's mount.</summary>
public static class InClusterConfiguration
{
    /// <summary>Where kubelets mount the service account.</summary>
    public const string DefaultFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>Reads the process's environment and the mount.</summary>
    /// <exception cref="KubeconfigException">This is no pod, or its service account is not mounted.</exception>
    public static ClientConfiguration Load(TimeProvider? time = null, string folder = DefaultFolder) =>
        Load(Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST"), Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT"), folder, time);

    /// <summary>As <see cref="Load(TimeProvider, string)"/>, with the environment given.</summary>
    public static ClientConfiguration Load(string? host, string? port, string folder, TimeProvider? time = null)
    {
        const string source = "in-cluster configuration";
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port))
        {
            throw new KubeconfigException(source, "KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT",
                "are not set: this is no pod; name a kubeconfig with --kubeconfig");
        }
        TimeProvider clock = time ?? TimeProvider.System;
        string name = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
        string token = Path.Combine(folder, "token");
        if (!File.Exists(token))
            throw new KubeconfigException(source, token, "is missing; set automountServiceAccountToken on the pod");
        FileCertificateAuthorities authorities = new(Path.Combine(folder, "ca.crt"), clock);
        try
        {
            authorities.Get();
        }
        catch (ApiUnreachableException e)
        {
            throw new KubeconfigException(source, Path.Combine(folder, "ca.crt"), e.Message, e);
        }
        string space = Path.Combine(folder, "namespace");
        return new ClientConfiguration
        {
            Server = new Uri($"https://{name}:{port}"),
            Source = source,
            CertificateAuthority = authorities,
            Credentials = new TokenFileCredentials(token, clock),
            Namespace = File.Exists(space) ? File.ReadAllText(space).Trim() : "default",
        };
    }
}
