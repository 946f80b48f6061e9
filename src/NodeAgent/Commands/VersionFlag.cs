using System.Runtime.InteropServices;
using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Commands;

/// <summary>--help and --version of both faces, which print and end before anything else is looked at.</summary>
internal static class VersionFlag
{
    /// <returns>The exit code when one of them was given, else null.</returns>
    internal static int? PrintIfAsked(FlagSet set, ParsedFlags flags, string purpose, TextWriter output)
    {
        if (flags.Bool("help"))
        {
            output.Write(FlagUsage.Describe(set, purpose));
            return ExitCodes.Success;
        }
        string version = flags.Text("version");
        if (version.Length == 0 || FlagValues.Bool(version) is { } asked && !asked.GetValue<bool>())
            return null;
        output.WriteLine(version switch
        {
            "raw" => Raw(),
            ['v', ..] => $"Kubernetes {version}",
            _ => $"Kubernetes {BuildVersion.Kubernetes}",
        });
        return ExitCodes.Success;
    }

    private static string Raw()
    {
        string[] parts = BuildVersion.Kubernetes.TrimStart('v').Split('.');
        string platform = $"linux/{(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "amd64")}";
        return $"version.Info{{Major:\"{parts[0]}\", Minor:\"{parts[1]}\", GitVersion:\"{BuildVersion.Kubernetes}\", "
            + $"GoVersion:\"\", Compiler:\"dotnet\", Platform:\"{platform}\"}}";
    }
}
