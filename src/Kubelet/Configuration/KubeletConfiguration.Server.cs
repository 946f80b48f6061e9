namespace NodeAgent.Kubelet.Configuration;

// The fields about the HTTPS server, its certificates, who may use it, and health.
public sealed partial record KubeletConfiguration
{
    /// <summary>enableServer: Whether the HTTPS server (and the read-only one) runs.</summary>
    public bool EnableServer { get; init; } = true;

    /// <summary>address: Where the HTTPS and read-only servers listen.</summary>
    public string Address { get; init; } = "0.0.0.0";

    /// <summary>port: Port of the HTTPS server.</summary>
    public int Port { get; init; } = 10250;

    /// <summary>readOnlyPort: Port of the unauthenticated read-only server; 0: off.</summary>
    public int ReadOnlyPort { get; init; }

    /// <summary>tlsCertFile: Serving certificate, PEM.</summary>
    public string TlsCertFile { get; init; } = "";

    /// <summary>tlsPrivateKeyFile: Key of the serving certificate, PEM.</summary>
    public string TlsPrivateKeyFile { get; init; } = "";

    /// <summary>tlsCipherSuites: Cipher suites for TLS 1.2, by IANA name; empty: the platform's.</summary>
    public IReadOnlyList<string> TlsCipherSuites { get; init; } = [];

    /// <summary>tlsCurvePreferences: Curves by their IANA numbers; empty: the platform's.</summary>
    public IReadOnlyList<int> TlsCurvePreferences { get; init; } = [];

    /// <summary>tlsMinVersion: VersionTLS12 or VersionTLS13; empty: 1.2.</summary>
    public string TlsMinVersion { get; init; } = "";

    /// <summary>rotateCertificates: Renew the client certificate before it expires.</summary>
    public bool RotateCertificates { get; init; }

    /// <summary>serverTLSBootstrap: Get the serving certificate by a CertificateSigningRequest.</summary>
    public bool ServerTLSBootstrap { get; init; }

    /// <summary>authentication.x509.clientCAFile: Authorities whose client certificates are accepted, PEM.</summary>
    public string ClientCAFile { get; init; } = "";

    /// <summary>authentication.webhook.enabled: Check bearer tokens by TokenReview.</summary>
    public bool WebhookEnabled { get; init; } = true;

    /// <summary>authentication.webhook.cacheTTL: How long a token's review is remembered.</summary>
    public TimeSpan WebhookCacheTTL { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>authentication.anonymous.enabled: Let requests without identity pass as system:anonymous.</summary>
    public bool AnonymousEnabled { get; init; }

    /// <summary>authorization.mode: AlwaysAllow or Webhook.</summary>
    public string AuthorizationMode { get; init; } = "Webhook";

    /// <summary>authorization.webhook.cacheAuthorizedTTL: How long an allowed review is remembered.</summary>
    public TimeSpan AuthorizationCacheAuthorizedTTL { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>authorization.webhook.cacheUnauthorizedTTL: How long a denied review is remembered.</summary>
    public TimeSpan AuthorizationCacheUnauthorizedTTL { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>enableDebuggingHandlers: Serve logs, exec, attach and port-forward.</summary>
    public bool EnableDebuggingHandlers { get; init; } = true;

    /// <summary>enableContentionProfiling: Go's lock profiling; means nothing here.</summary>
    public bool EnableContentionProfiling { get; init; }

    /// <summary>enableProfilingHandler: Go's profiling under /debug/pprof; means nothing here.</summary>
    public bool EnableProfilingHandler { get; init; } = true;

    /// <summary>enableDebugFlagsHandler: Serve /debug/flags/v.</summary>
    public bool EnableDebugFlagsHandler { get; init; } = true;

    /// <summary>enableSystemLogHandler: Serve /logs/.</summary>
    public bool EnableSystemLogHandler { get; init; } = true;

    /// <summary>enableSystemLogQuery: Let /logs/ query the journal.</summary>
    public bool EnableSystemLogQuery { get; init; }

    /// <summary>healthzPort: Port of /healthz; 0: off.</summary>
    public int HealthzPort { get; init; } = 10248;

    /// <summary>healthzBindAddress: Address of /healthz.</summary>
    public string HealthzBindAddress { get; init; } = "127.0.0.1";

    /// <summary>streamingConnectionIdleTimeout: Streams without traffic for this long are closed.</summary>
    public TimeSpan StreamingConnectionIdleTimeout { get; init; } = TimeSpan.FromHours(4);

    /// <summary>showHiddenMetricsForVersion: Show metrics hidden since this minor version.</summary>
    public string ShowHiddenMetricsForVersion { get; init; } = "";

    /// <summary>tracing.endpoint: Where traces go; null: localhost:4317 when tracing is on.</summary>
    public string? TracingEndpoint { get; init; }

    /// <summary>tracing.samplingRatePerMillion: Traces kept of each million.</summary>
    public int? TracingSamplingRatePerMillion { get; init; }
}
