using System.Diagnostics;

namespace NodeAgent.Harness.Host;

/// <summary>What a tool of the host answered.</summary>
public sealed record ToolAnswer(int ExitCode, string Output, string Error)
{
    /// <summary>The lines of the standard output.</summary>
    public IEnumerable<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs tools of the host; arguments are passed as a list, no shell is between.</summary>
public static class Tool
{
    private static readonly string[] MoreFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

    /// <summary>The program's path: in the folders given, in PATH, then in the usual folders for the superuser; null when absent.</summary>
    public static string? Find(string name, params string?[] first) =>
        first.OfType<string>().Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')).Concat(MoreFolders)
            .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Runs a program to its end.</summary>
    public static async Task<ToolAnswer> RunAsync(string program, IEnumerable<string> arguments, string? input = null, TimeSpan? limit = null)
    {
        ProcessStartInfo start = new(Find(program) ?? program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        using CancellationTokenSource deadline = new(limit ?? TimeSpan.FromSeconds(60));
        Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token), error = process.StandardError.ReadToEndAsync(deadline.Token);
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync(deadline.Token);
            return new ToolAnswer(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw new TimeoutException($"{program} {string.Join(' ', start.ArgumentList)} took longer than {limit}");
        }
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static async Task<ToolAnswer> MustAsync(string program, params string[] arguments)
    {
        ToolAnswer answer = await RunAsync(program, arguments);
        return answer.ExitCode == 0 ? answer
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {answer.ExitCode}: {answer.Error.Trim()}");
    }
}
