using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Commands;

/// <summary>Chooses what to do by the name of the executable and the first argument.</summary>
internal static class CommandDispatcher
{
    private static readonly string[] Commands = ["kubelet", "kube-proxy", "run", "doctor", "version", "help"];

    /// <param name="executable">The name this process was started by, without folder.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="context">What commands use.</param>
    /// <returns>The exit code.</returns>
    internal static Task<int> RunAsync(string executable, IReadOnlyList<string> arguments, CommandContext context)
    {
        if (executable is "kubelet" or "kube-proxy")
            return RunCommandAsync(executable, arguments, context);
        return arguments.Count == 0
            ? Task.FromResult(Usage(context.Error, ExitCodes.Failure))
            : RunCommandAsync(arguments[0], [.. arguments.Skip(1)], context);
    }

    private static Task<int> RunCommandAsync(string command, IReadOnlyList<string> arguments, CommandContext context) => command switch
    {
        "kubelet" => KubeletCommand.RunAsync(arguments, context),
        "kube-proxy" => KubeProxyCommand.RunAsync(arguments, context),
        "run" => RunCommand.RunAsync(arguments, context),
        "doctor" => DoctorCommand.RunAsync(arguments, context),
        "version" or "--version" => Task.FromResult(Version(context)),
        "help" or "--help" or "-h" => Task.FromResult(Usage(context.Output, ExitCodes.Success)),
        _ => Task.FromResult(Unknown(command, context)),
    };

    private static int Version(CommandContext context)
    {
        context.Output.WriteLine($"node-agent {BuildVersion.Agent} (Kubernetes {BuildVersion.Kubernetes})");
        return ExitCodes.Success;
    }

    private static int Unknown(string command, CommandContext context)
    {
        string? close = NameSuggestion.Closest(command, Commands);
        context.Error.WriteLine($"unknown command \"{command}\"{(close is null ? "" : $"; did you mean {close}?")}");
        return Usage(context.Error, ExitCodes.Failure);
    }

    private static int Usage(TextWriter writer, int code)
    {
        writer.WriteLine($"""
            NodeAgent: kubelet and kube-proxy of Kubernetes {BuildVersion.Kubernetes} in one executable.

            Usage:
              node-agent kubelet [flags]                        the kubelet; also as a link named kubelet
              node-agent kube-proxy [flags]                     kube-proxy; also as a link named kube-proxy
              node-agent run [kubelet flags] -- [proxy flags]   both in one process
              node-agent doctor [kubelet flags]                 what this host lacks, and how to mend it
              node-agent version

            COMMAND --help shows the flags of kubelet, kube-proxy and run.
            """);
        return code;
    }
}
