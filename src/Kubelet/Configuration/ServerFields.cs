using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>The fields about the HTTPS server, its certificates, who may use it, and health.</summary>
internal static class ServerFields
{
    internal static ConfigurationTable<KubeletConfiguration> AddServer(this ConfigurationTable<KubeletConfiguration> table) => table
        .Pointer("enableServer", FieldKinds.Bool, c => c.EnableServer, (c, v) => c with { EnableServer = v })
        .Value("address", FieldKinds.Text, c => c.Address, (c, v) => c with { Address = v })
        .Value("port", FieldKinds.Int32, c => c.Port, (c, v) => c with { Port = v })
        .Value("readOnlyPort", FieldKinds.Int32, c => c.ReadOnlyPort, (c, v) => c with { ReadOnlyPort = v })
        .Value("tlsCertFile", FieldKinds.Text, c => c.TlsCertFile, (c, v) => c with { TlsCertFile = v })
        .Value("tlsPrivateKeyFile", FieldKinds.Text, c => c.TlsPrivateKeyFile, (c, v) => c with { TlsPrivateKeyFile = v })
        .Value("tlsCipherSuites", FieldKinds.TextList,
            c => c.TlsCipherSuites, (c, v) => c with { TlsCipherSuites = v })
        .Value("tlsCurvePreferences", FieldKinds.Int32List,
            c => c.TlsCurvePreferences, (c, v) => c with { TlsCurvePreferences = v }, SupportState.NoEffectYet)
        .Value("tlsMinVersion", FieldKinds.Text, c => c.TlsMinVersion, (c, v) => c with { TlsMinVersion = v })
        .Value("rotateCertificates", FieldKinds.Bool, c => c.RotateCertificates, (c, v) => c with { RotateCertificates = v })
        .Value("serverTLSBootstrap", FieldKinds.Bool, c => c.ServerTLSBootstrap, (c, v) => c with { ServerTLSBootstrap = v })
        .Value("authentication.x509.clientCAFile", FieldKinds.Text, c => c.ClientCAFile, (c, v) => c with { ClientCAFile = v })
        .Pointer("authentication.webhook.enabled", FieldKinds.Bool, c => c.WebhookEnabled, (c, v) => c with { WebhookEnabled = v })
        .Value("authentication.webhook.cacheTTL", FieldKinds.Duration, c => c.WebhookCacheTTL, (c, v) => c with { WebhookCacheTTL = v })
        .Pointer("authentication.anonymous.enabled", FieldKinds.Bool, c => c.AnonymousEnabled, (c, v) => c with { AnonymousEnabled = v })
        .Value("authorization.mode", FieldKinds.Text, c => c.AuthorizationMode, (c, v) => c with { AuthorizationMode = v })
        .Value("authorization.webhook.cacheAuthorizedTTL", FieldKinds.Duration,
            c => c.AuthorizationCacheAuthorizedTTL, (c, v) => c with { AuthorizationCacheAuthorizedTTL = v })
        .Value("authorization.webhook.cacheUnauthorizedTTL", FieldKinds.Duration,
            c => c.AuthorizationCacheUnauthorizedTTL, (c, v) => c with { AuthorizationCacheUnauthorizedTTL = v })
        .Pointer("enableDebuggingHandlers", FieldKinds.Bool,
            c => c.EnableDebuggingHandlers, (c, v) => c with { EnableDebuggingHandlers = v })
        .Value("enableContentionProfiling", FieldKinds.Bool,
            c => c.EnableContentionProfiling, (c, v) => c with { EnableContentionProfiling = v }, SupportState.Ignored)
        .Pointer("enableProfilingHandler", FieldKinds.Bool,
            c => c.EnableProfilingHandler, (c, v) => c with { EnableProfilingHandler = v }, SupportState.Ignored)
        .Pointer("enableDebugFlagsHandler", FieldKinds.Bool,
            c => c.EnableDebugFlagsHandler, (c, v) => c with { EnableDebugFlagsHandler = v }, SupportState.Partly)
        .Pointer("enableSystemLogHandler", FieldKinds.Bool,
            c => c.EnableSystemLogHandler, (c, v) => c with { EnableSystemLogHandler = v })
        .Pointer("enableSystemLogQuery", FieldKinds.Bool,
            c => c.EnableSystemLogQuery, (c, v) => c with { EnableSystemLogQuery = v })
        .Pointer("healthzPort", FieldKinds.Int32, c => c.HealthzPort, (c, v) => c with { HealthzPort = v })
        .Value("healthzBindAddress", FieldKinds.Text, c => c.HealthzBindAddress, (c, v) => c with { HealthzBindAddress = v })
        .Value("streamingConnectionIdleTimeout", FieldKinds.Duration,
            c => c.StreamingConnectionIdleTimeout, (c, v) => c with { StreamingConnectionIdleTimeout = v }, SupportState.NoEffectYet)
        .Value("showHiddenMetricsForVersion", FieldKinds.Text,
            c => c.ShowHiddenMetricsForVersion, (c, v) => c with { ShowHiddenMetricsForVersion = v }, SupportState.NoEffectYet)
        .Pointer("tracing.endpoint", KubeletFieldKinds.OptionalText,
            c => c.TracingEndpoint, (c, v) => c with { TracingEndpoint = v }, SupportState.NoEffectYet)
        .Pointer("tracing.samplingRatePerMillion", FieldKinds.Optional(FieldKinds.Int32),
            c => c.TracingSamplingRatePerMillion, (c, v) => c with { TracingSamplingRatePerMillion = v }, SupportState.NoEffectYet);
}
