using NodeAgent.Harness;
using NodeAgent.Harness.Host;

namespace NodeAgent.Guest.Tests;

/// <summary>
/// The agent's package for the guest: $NODE_AGENT_GUEST_PACKAGE; else one made of $NODE_AGENT_BINARY, of out/ where it is newer than every
/// source file, or of what `make publish` makes now.
/// </summary>
internal static class GuestPackage
{
    private static readonly string[] Sources = ["src", "protos", "Directory.Build.props", "Directory.Packages.props", "global.json"];

    /// <summary>The package's path.</summary>
    /// <param name="folder">Where one is made.</param>
    /// <param name="step">Runs a step and tells how long it took.</param>
    internal static async Task<string> MakeAsync(string folder, Func<string, Func<Task>, Task> step)
    {
        if (Environment.GetEnvironmentVariable("NODE_AGENT_GUEST_PACKAGE") is { Length: > 0 } package) return package;
        string program = await ProgramAsync(step);
        await step($"package of {program}", () => RunAsync(
            "env", ["DPKG_DEB_COMPRESSOR_TYPE=gzip", "DPKG_DEB_COMPRESSOR_LEVEL=1", In("packaging/deb/build.sh"), program, "0.0.0", "amd64", folder]));
        return Path.Combine(folder, "node-agent_0.0.0_amd64.deb");
    }

    /// <summary>Runs a program that must succeed.</summary>
    internal static async Task RunAsync(string program, IEnumerable<string> arguments)
    {
        string[] list = [.. arguments];
        ToolAnswer answer = await Tool.RunAsync(program, list, limit: TimeSpan.FromMinutes(10));
        if (answer.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', list)} ended with {answer.ExitCode}: {answer.Output.Trim()} {answer.Error.Trim()}");
    }

    private static async Task<string> ProgramAsync(Func<string, Func<Task>, Task> step)
    {
        // A program that needs .NET beside it, as the build makes it, would not start in the guest.
        if (Environment.GetEnvironmentVariable("NODE_AGENT_BINARY") is { Length: > 0 } binary && !File.Exists(binary + ".dll"))
            return binary;
        string published = In("out/linux-x64/node-agent");
        if (!File.Exists(published) || File.GetLastWriteTimeUtc(published) < LastChange())
            await step("make publish", () => RunAsync("make", ["-C", Requirements.RepositoryRoot, "publish"]));
        return published;
    }

    private static DateTime LastChange() => Sources.Select(In).SelectMany(path => File.Exists(path) ? [path] : Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories))
        .Where(file => !file.Contains("/bin/", StringComparison.Ordinal) && !file.Contains("/obj/", StringComparison.Ordinal))
        .Max(File.GetLastWriteTimeUtc);

    private static string In(string path) => Path.Combine(Requirements.RepositoryRoot, path);
}
