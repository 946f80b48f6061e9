using System.Diagnostics;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Kubeconfig;

/// <summary>
/// Runs a credential plugin when credentials are needed: at first use, after their expiry, and after a 401. Calls at the same time
/// share one run.
/// </summary>
internal sealed class ExecPlugin(KubeconfigExec exec, KubeconfigCluster cluster, Uri server, string folder, TimeProvider time)
    : IRequestCredentials, IClientCertificateSource, IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private const int MaximumOutput = 1 << 20;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile ExecResult? _result;
    private ClientCertificate? _certificate;

    public async ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken cancellationToken) =>
        (await ResultAsync(cancellationToken)).Token;

    async ValueTask<ClientCertificate?> IClientCertificateSource.GetAsync(CancellationToken cancellationToken) =>
        (await ResultAsync(cancellationToken)).Certificate;

    public void Rejected(AuthenticationHeaderValue? used)
    {
        if (_result is { } result && (used is null || ReferenceEquals(result.Token, used)))
            _result = null;
    }

    public void Dispose() => _gate.Dispose();

    private async ValueTask<ExecResult> ResultAsync(CancellationToken cancellationToken)
    {
        if (_result is { } ready && !(ready.Expires <= time.GetUtcNow()))
            return ready;
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_result is { } other && !(other.Expires <= time.GetUtcNow()))
                return other;
            ExecResult result = WithKnownCertificate(Parse(await RunAsync(cancellationToken)));
            _result = result;
            return result;
        }
        finally
        {
            _gate.Release();
        }
    }

    // A new instance would start new connections and end every watch.
    private ExecResult WithKnownCertificate(ExecResult result)
    {
        if (result.Certificate is { } now && _certificate is { } known && now.Leaf.RawDataMemory.Span.SequenceEqual(known.Leaf.RawDataMemory.Span))
            return result with { Certificate = known };
        _certificate = result.Certificate;
        return result;
    }

    private async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(Command())
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in exec.Args)
            start.ArgumentList.Add(argument);
        foreach ((string name, string value) in exec.Env)
            start.Environment[name] = value;
        start.Environment["KUBERNETES_EXEC_INFO"] = Info();
        using Process process = Start(start);
        process.StandardInput.Close();
        using CancellationTokenSource limit = new(Limit, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            Task<string> errors = ReadAsync(process.StandardError, either.Token);
            string output = await ReadAsync(process.StandardOutput, either.Token);
            await process.WaitForExitAsync(either.Token);
            return process.ExitCode == 0 ? output : throw Failed($"ended with code {process.ExitCode}: {Shortened(await errors)}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Failed($"gave no answer within {Limit.TotalSeconds} s");
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }

    private Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            string hint = string.IsNullOrWhiteSpace(exec.InstallHint) ? "install it or correct users[].user.exec.command" : exec.InstallHint.Trim();
            throw new ApiUnreachableException($"credential plugin {exec.Command} cannot be started: {e.Message}; {hint}", e);
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        char[] buffer = new char[4096];
        System.Text.StringBuilder text = new();
        int read;
        while ((read = await reader.ReadAsync(buffer, cancellationToken)) > 0)
        {
            if (text.Length < MaximumOutput)
                text.Append(buffer, 0, read);
        }
        return text.ToString();
    }

    private string Command() =>
        exec.Command.Contains('/', StringComparison.Ordinal) ? Path.GetFullPath(exec.Command, folder) : exec.Command;

    private string Info()
    {
        JsonObject spec = new() { ["interactive"] = false };
        if (exec.ProvideClusterInfo)
        {
            JsonObject about = new() { ["server"] = server.AbsoluteUri.TrimEnd('/') };
            if (!string.IsNullOrEmpty(cluster.TlsServerName))
                about["tls-server-name"] = cluster.TlsServerName;
            if (cluster.InsecureSkipTlsVerify)
                about["insecure-skip-tls-verify"] = true;
            byte[]? authority = cluster.CertificateAuthorityData
                ?? (string.IsNullOrEmpty(cluster.CertificateAuthority) ? null : File.ReadAllBytes(Path.GetFullPath(cluster.CertificateAuthority, folder)));
            if (authority is not null)
                about["certificate-authority-data"] = Convert.ToBase64String(authority);
            if (!string.IsNullOrEmpty(cluster.ProxyUrl))
                about["proxy-url"] = cluster.ProxyUrl;
            if (cluster.DisableCompression)
                about["disable-compression"] = true;
            if (cluster.ExecExtension is { } extension)
                about["config"] = JsonNode.Parse(extension);
            spec["cluster"] = about;
        }
        return new JsonObject { ["kind"] = "ExecCredential", ["apiVersion"] = exec.ApiVersion, ["spec"] = spec }.ToJsonString();
    }

    private ExecResult Parse(string output)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(output);
            JsonElement root = document.RootElement;
            if (Text(root, "kind") != "ExecCredential" || Text(root, "apiVersion") != exec.ApiVersion)
                throw Failed($"answered {Text(root, "apiVersion")} {Text(root, "kind")}, wanted ExecCredential of {exec.ApiVersion}");
            if (!root.TryGetProperty("status", out JsonElement status) || status.ValueKind != JsonValueKind.Object)
                throw Failed("answered without a status");
            string? token = Text(status, "token"), certificate = Text(status, "clientCertificateData"), key = Text(status, "clientKeyData");
            if ((certificate is null) != (key is null))
                throw Failed("answered with only one of clientCertificateData and clientKeyData");
            if (token is null && certificate is null)
                throw Failed("answered with neither a token nor a certificate");
            DateTimeOffset? expires = Text(status, "expirationTimestamp") is { } at
                ? DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture)
                : null;
            return new ExecResult(
                token is null ? null : new AuthenticationHeaderValue("Bearer", token),
                certificate is null ? null : ClientCertificate.FromPem(certificate, key!),
                expires);
        }
        catch (Exception e) when (e is JsonException or FormatException or CryptographicException or InvalidOperationException)
        {
            // The text itself may hold secrets: only the parser's words.
            throw new ApiUnreachableException($"credential plugin {exec.Command} answered what is no ExecCredential: {e.Message}", e);
        }
    }

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            && value.GetString() is { Length: > 0 } text
            ? text
            : null;

    private ApiUnreachableException Failed(string what) => new($"credential plugin {exec.Command} {what}");

    private static string Shortened(string text) => text.Length <= 500 ? text.Trim() : text[..500].Trim() + "…";

    private sealed record ExecResult(AuthenticationHeaderValue? Token, ClientCertificate? Certificate, DateTimeOffset? Expires);
}
