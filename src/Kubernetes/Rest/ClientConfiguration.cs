namespace NodeAgent.Kubernetes.Rest;

/// <summary>Where an API server is, how it proves itself, and who we are: what a kubeconfig's context or a pod's mount says.</summary>
public sealed record ClientConfiguration
{
    /// <summary>The server's address; a path is a prefix of all requests.</summary>
    public required Uri Server { get; init; }

    /// <summary>Where this came from, for messages: the kubeconfig's path, or "in-cluster configuration".</summary>
    public string Source { get; init; } = "client configuration";

    /// <summary>What the server's certificate must chain to; null for the system's trust.</summary>
    public ICertificateAuthoritySource? CertificateAuthority { get; init; }

    /// <summary>Accept any server certificate. Only as the kubeconfig says so.</summary>
    public bool InsecureSkipTlsVerify { get; init; }

    /// <summary>The name the server's certificate must carry instead of the address's host.</summary>
    public string? TlsServerName { get; init; }

    /// <summary>The client certificate, asked for before each request; a new one starts new connections.</summary>
    public IClientCertificateSource? ClientCertificate { get; init; }

    /// <summary>Gives the Authorization header.</summary>
    public IRequestCredentials? Credentials { get; init; }

    /// <summary>A proxy: http, https or socks5. Null: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Do not ask for gzip answers.</summary>
    public bool DisableCompression { get; init; }

    /// <summary>Act as somebody else.</summary>
    public Impersonation? Impersonate { get; init; }

    /// <summary>The context's namespace.</summary>
    public string Namespace { get; init; } = "default";
}

/// <summary>Whom to act as (Impersonate-* headers).</summary>
/// <param name="User">The user name.</param>
/// <param name="Uid">The user's uid.</param>
/// <param name="Groups">The user's groups.</param>
/// <param name="Extra">Further attributes.</param>
public sealed record Impersonation(
    string User, string? Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra);

/// <summary>How a client behaves, whoever it talks to.</summary>
public sealed record KubernetesClientOptions
{
    /// <summary>Requests per second after the burst; 0 or less: no limit.</summary>
    public double Qps { get; init; } = 50;

    /// <summary>Requests at once.</summary>
    public int Burst { get; init; } = 100;

    /// <summary>The limit of one attempt of a request that is not a watch.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Repetitions of what is safe to repeat, at most.</summary>
    public int MaximumRetries { get; init; } = 10;

    /// <summary>The User-Agent header.</summary>
    public string UserAgent { get; init; } = "node-agent/v1.36.2";

    /// <summary>Where requests are counted; null for nowhere.</summary>
    public RequestMetrics? Metrics { get; init; }

    /// <summary>Interval of HTTP/2 pings on connections with requests (a watch is one).</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>An unanswered ping ends its connection after this time.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long requests on connections with an old client certificate may go on.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest watch frame accepted, in bytes.</summary>
    public int MaximumFrameBytes { get; init; } = 64 << 20;

    /// <summary>The longest answer accepted, in bytes.</summary>
    public int MaximumAnswerBytes { get; init; } = 512 << 20;
}
