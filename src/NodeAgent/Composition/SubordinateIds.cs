using System.Diagnostics;
using NodeAgent.Kubelet.Sandboxes;

namespace NodeAgent.Composition;

/// <summary>Ids that the host has for pods' user namespaces. Source: pkg/kubelet/kubelet_pods.go (getKubeletMappings).</summary>
internal static class SubordinateIds
{
    /// <summary>
    /// The host's: what getsubids tells of user kubelet where the host has both, else everything. A user without an answer is an error: the
    /// ranges may be kept by a service that does not answer just now.
    /// </summary>
    /// <exception cref="FormatException">No range can be had; says why.</exception>
    public static UserNamespaceRange Read(uint perPod)
    {
        if (!File.Exists("/etc/passwd") || !File.ReadLines("/etc/passwd").Any(l => l.StartsWith("kubelet:", StringComparison.Ordinal)) || Find("getsubids") is not { } program)
        {
            return UserNamespaceRange.Everything(perPod);
        }

        string users = Run(program, "kubelet"), groups = Run(program, "-g", "kubelet");
        return users == groups ? UserNamespaceRange.Parse(users, perPod)
            : throw new FormatException("user namespaces: user kubelet has other ids in /etc/subuid than in /etc/subgid; make them the same");
    }

    private static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    private static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output
                : throw new FormatException($"user namespaces: {program} {string.Join(' ', arguments)} ended with code {process.ExitCode}: {errors.GetAwaiter().GetResult().Trim()}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new FormatException($"user namespaces: {program} cannot be started: {e.Message}", e);
        }
    }
}
