using NodeAgent.Harness.Host;

namespace NodeAgent.Guest.Tests;

/// <summary>Commands in the guest over ssh, and kubectl beside it, in the guest's network namespace.</summary>
/// <param name="space">The network namespace.</param>
/// <param name="disk">The folder of the guest's disk, with the key to log in with.</param>
/// <param name="folder">Where the guest's and the control plane's files are.</param>
/// <param name="scripts">tests/Guest.</param>
public sealed class GuestShell(string space, string disk, string folder, string scripts)
{
    private static readonly TimeSpan CallLimit = TimeSpan.FromMinutes(5);

    /// <summary>The arguments for kubeadm join.</summary>
    public string JoinArguments => File.ReadAllText(Path.Combine(folder, "join")).Trim();

    /// <summary>The cluster administrator's kubeconfig.</summary>
    public string AdministratorsKubeconfig => File.ReadAllText(Path.Combine(folder, "super-admin.conf"));

    /// <summary>Runs a shell command in the guest.</summary>
    public Task<ToolAnswer> RunAsync(string command) =>
        Tool.RunAsync("/bin/sh", [Path.Combine(scripts, "guest.sh"), "run", space, disk, folder, command], limit: CallLimit);

    /// <summary>Runs a shell command in the guest that must succeed; answers what it wrote, trimmed.</summary>
    public async Task<string> MustAsync(string command)
    {
        ToolAnswer answer = await RunAsync(command);
        return answer.ExitCode == 0 ? answer.Output.Trim()
            : throw new InvalidOperationException($"in the guest: {command}: ended with {answer.ExitCode}: {answer.Output.Trim()} {answer.Error.Trim()}");
    }

    /// <summary>Runs kubectl as the cluster's administrator.</summary>
    public Task<ToolAnswer> TryKubectlAsync(string? input, params string[] arguments) => Tool.RunAsync(
        "ip",
        ["netns", "exec", space, Path.Combine(GuestRequirements.Folder, "kubectl"), "--kubeconfig", Path.Combine(folder, "super-admin.conf"), .. arguments],
        input, CallLimit);

    /// <summary>Runs kubectl, which must succeed; answers what it wrote, trimmed.</summary>
    public async Task<string> KubectlAsync(params string[] arguments) => Output(arguments, await TryKubectlAsync(null, arguments));

    /// <summary>Waits as `kubectl wait` does; its error is the answer's.</summary>
    public Task WaitAsync(string resource, string condition) => KubectlAsync("wait", resource, $"--for={condition}", "--timeout=290s");

    /// <summary>Applies a manifest.</summary>
    public async Task ApplyAsync(string manifest) => Output(["apply"], await TryKubectlAsync(manifest, "apply", "-f", "-"));

    private static string Output(string[] arguments, ToolAnswer answer) => answer.ExitCode == 0 ? answer.Output.Trim()
        : throw new InvalidOperationException($"kubectl {string.Join(' ', arguments)}: {answer.Error.Trim()}");
}
