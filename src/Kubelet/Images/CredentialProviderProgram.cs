using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Images;

/// <summary>What is asked of a provider.</summary>
/// <param name="Image">Registry and path, no tag.</param>
/// <param name="Token">A token of the pod's service account; "" = none.</param>
/// <param name="Annotations">The account's annotations it wants.</param>
internal sealed record CredentialRequest(string Image, string Token, IReadOnlyDictionary<string, string> Annotations);

/// <summary>A provider's answer.</summary>
/// <param name="CacheKeyType">Image, Registry or Global.</param>
/// <param name="CacheDuration">How long it holds; zero = not to be kept; null = the provider's default.</param>
/// <param name="Auth">Credentials by image pattern.</param>
internal sealed record CredentialAnswer(string CacheKeyType, TimeSpan? CacheDuration, IReadOnlyList<(string Pattern, string Username, string Password)> Auth);

/// <summary>A provider gave no usable answer.</summary>
internal sealed class CredentialProviderException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Asks a provider.</summary>
internal interface ICredentialProviderProgram
{
    /// <exception cref="CredentialProviderException">Names the provider and what went wrong; never holds a credential.</exception>
    Task<CredentialAnswer> AskAsync(CredentialRequest request, CancellationToken cancellationToken);
}

/// <summary>Runs the provider's program: request on its standard input, answer on its standard output. Source: pkg/credentialprovider/plugin/plugin.go.</summary>
/// <param name="options">The provider.</param>
/// <param name="binFolder">Where the program is.</param>
/// <param name="time">Clock.</param>
internal sealed class CredentialProviderProgram(CredentialProviderOptions options, string binFolder, TimeProvider time) : ICredentialProviderProgram
{
    private const int LargestAnswer = 1 << 20;
    private const int ShownErrors = 1024;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public async Task<CredentialAnswer> AskAsync(CredentialRequest request, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return Read(await RunAsync(Write(request), either.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CredentialProviderException($"credential provider {options.Name} gave no answer for {request.Image} within {Limit.TotalSeconds:0} s");
        }
    }

    private string Write(CredentialRequest request)
    {
        var body = new JsonObject { ["kind"] = "CredentialProviderRequest", ["apiVersion"] = options.ApiVersion, ["image"] = request.Image };
        if (options.ApiVersion.EndsWith("/v1", StringComparison.Ordinal))
        {
            body["serviceAccountToken"] = request.Token;
            if (request.Annotations.Count > 0)
            {
                body["serviceAccountAnnotations"] = new JsonObject(request.Annotations.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value)));
            }
        }

        return body.ToJsonString() + "\n";
    }

    private async Task<string> RunAsync(string input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Path.Combine(binFolder, options.Name))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in options.Args)
        {
            start.ArgumentList.Add(argument);
        }

        foreach ((string name, string value) in options.Env)
        {
            start.Environment[name] = value;
        }

        using Process process = Start(start);
        try
        {
            Task<string> output = ReadAsync(process.StandardOutput, cancellationToken), errors = ReadAsync(process.StandardError, cancellationToken);
            await FeedAsync(process, input, cancellationToken);
            string answer = await output;
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0 ? answer
                : throw new CredentialProviderException($"credential provider {options.Name} ended with code {process.ExitCode}: {Shortened(await errors)}");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new CredentialProviderException($"credential provider {start.FileName} cannot be started: {e.Message}", e);
        }
    }

    /// <summary>A program that does not read its input is no error.</summary>
    private static async Task FeedAsync(Process process, string input, CancellationToken cancellationToken)
    {
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes(input), cancellationToken);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        char[] buffer = new char[4096];
        for (int read; (read = await reader.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            if (text.Length <= LargestAnswer)
            {
                text.Append(buffer, 0, read);
            }
        }

        return text.ToString();
    }

    private CredentialAnswer Read(string output)
    {
        JsonNode? root;
        try
        {
            root = JsonNode.Parse(output);
        }
        catch (JsonException)
        {
            throw Bad("is not JSON"); // the parser's message would quote it
        }

        if ((string?)root?["apiVersion"] != options.ApiVersion || (string?)root["kind"] != "CredentialProviderResponse")
        {
            throw Bad($"is no CredentialProviderResponse of apiVersion {options.ApiVersion}");
        }

        string? key = (string?)root["cacheKeyType"];
        TimeSpan duration = default;
        if (key is not ("Image" or "Registry" or "Global"))
        {
            throw Bad("has no valid cacheKeyType (Image, Registry or Global)");
        }

        if (root["cacheDuration"] is { } text && !GoDuration.TryParse((string?)text, out duration))
        {
            throw Bad("has a cacheDuration that is no duration");
        }

        return new CredentialAnswer(key, root["cacheDuration"] is null ? null : duration,
            [.. (root["auth"] as JsonObject ?? []).Where(a => a.Value is JsonObject).Select(a => (a.Key, (string?)a.Value!["username"] ?? "", (string?)a.Value["password"] ?? ""))]);
    }

    private CredentialProviderException Bad(string what) => new($"the answer of credential provider {options.Name} {what}");

    private static string Shortened(string text) => text.Length <= ShownErrors ? text.Trim() : text[..ShownErrors].Trim() + " …";
}
