using System.Net;
using System.Net.Security;
using System.Security.Authentication;

namespace NodeAgent.Kubelet.Server;

/// <summary>How requests are authorized.</summary>
public enum AuthorizationMode
{
    /// <summary>Every authenticated request may do everything.</summary>
    AlwaysAllow,
    /// <summary>SubjectAccessReview.</summary>
    Webhook,
}

/// <summary>Settings of the node's HTTP servers, from KubeletConfiguration.</summary>
public sealed record KubeletServerOptions
{
    /// <summary>The node's name.</summary>
    public required string NodeName { get; init; }
    /// <summary>address.</summary>
    public IPAddress Address { get; init; } = IPAddress.Any;
    /// <summary>port; 0 = any free one (tests).</summary>
    public int Port { get; init; } = 10250;
    /// <summary>readOnlyPort; 0 = off.</summary>
    public int ReadOnlyPort { get; init; }
    /// <summary>healthzPort; 0 = off.</summary>
    public int HealthzPort { get; init; } = 10248;
    /// <summary>healthzBindAddress.</summary>
    public IPAddress HealthzAddress { get; init; } = IPAddress.Loopback;
    /// <summary>tlsMinVersion.</summary>
    public SslProtocols Protocols { get; init; } = SslProtocols.Tls12 | SslProtocols.Tls13;
    /// <summary>tlsCipherSuites; empty = the platform's.</summary>
    public IReadOnlyList<TlsCipherSuite> CipherSuites { get; init; } = [];
    /// <summary>authentication.x509.clientCAFile; "" = no client certificates.</summary>
    public string ClientCAFile { get; init; } = "";
    /// <summary>authentication.webhook.enabled.</summary>
    public bool TokenReview { get; init; } = true;
    /// <summary>authentication.webhook.cacheTTL.</summary>
    public TimeSpan TokenReviewCache { get; init; } = TimeSpan.FromMinutes(2);
    /// <summary>authentication.anonymous.enabled.</summary>
    public bool Anonymous { get; init; }
    /// <summary>authorization.mode.</summary>
    public AuthorizationMode Authorization { get; init; } = AuthorizationMode.Webhook;
    /// <summary>authorization.webhook.cacheAuthorizedTTL.</summary>
    public TimeSpan AuthorizedCache { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>authorization.webhook.cacheUnauthorizedTTL.</summary>
    public TimeSpan UnauthorizedCache { get; init; } = TimeSpan.FromSeconds(30);
    /// <summary>enableServer: whether <see cref="Port"/> is served.</summary>
    public bool Enabled { get; init; } = true;
    /// <summary>enableDebuggingHandlers.</summary>
    public bool DebuggingHandlers { get; init; } = true;
    /// <summary>enableSystemLogHandler.</summary>
    public bool SystemLogHandler { get; init; } = true;
    /// <summary>enableSystemLogQuery.</summary>
    public bool SystemLogQuery { get; init; }
    /// <summary>How long a TLS handshake may take, and the head of a request.</summary>
    public TimeSpan HeadLimit { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How long an answer may take that is no log and no stream, until the client has it.</summary>
    public TimeSpan AnswerLimit { get; init; } = TimeSpan.FromMinutes(2);
    /// <summary>What /configz answers: {"kubeletconfig":{…}} as UTF-8 JSON.</summary>
    public Func<byte[]>? Configz { get; init; }

    /// <summary>Reads tlsMinVersion.</summary>
    /// <exception cref="FormatException">No such version; names the field.</exception>
    public static SslProtocols ParseMinimumVersion(string version) => version switch
    {
        "" or "VersionTLS12" => SslProtocols.Tls12 | SslProtocols.Tls13,
        "VersionTLS13" => SslProtocols.Tls13,
        "VersionTLS10" or "VersionTLS11" => throw new FormatException($"tlsMinVersion: {version} is not supported (TLS 1.0 and 1.1 are broken); use VersionTLS12"),
        _ => throw new FormatException($"tlsMinVersion: unknown version \"{version}\"; use VersionTLS12 or VersionTLS13"),
    };

    /// <summary>Reads tlsCipherSuites.</summary>
    /// <exception cref="FormatException">A suite is not known; names it.</exception>
    public static IReadOnlyList<TlsCipherSuite> ParseCipherSuites(IEnumerable<string> names) =>
        [.. names.Select(n => Enum.TryParse(n.EndsWith("_CHACHA20_POLY1305", StringComparison.Ordinal) ? n + "_SHA256" : n, out TlsCipherSuite suite) && !char.IsAsciiDigit(n[0])
            ? suite : throw new FormatException($"tlsCipherSuites: \"{n}\" is no cipher suite"))];
}
