using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Commands;

/// <summary>node-agent kubelet.</summary>
internal static class KubeletCommand
{
    internal static async Task<int> RunAsync(IReadOnlyList<string> arguments, CommandContext context)
    {
        ParsedFlags flags = KubeletFlagTable.Flags.Parse(arguments);
        if (VersionFlag.PrintIfAsked(KubeletFlagTable.Flags, flags, "The node agent of Kubernetes: runs pods.", context.Output) is { } code)
            return code;
        LoadedKubeletConfiguration loaded = KubeletConfigurationLoader.Load(flags, HostHasCgroupV1());
        if (!loaded.IsUsable)
            return Refuse("kubelet", loaded.Problems, loaded.Flags.StrictConfig, context.Error);
        using AgentProcess process = new(loaded.Configuration.Logging, context.Time);
        return await process.RunAsync("kubelet", loaded.Problems, stop => context.Faces.CreateKubelet(loaded, process.Services).RunAsync(stop));
    }

    /// <summary>Prints every problem, the fatal ones first.</summary>
    internal static int Refuse(string face, IReadOnlyList<ConfigurationProblem> problems, bool strict, TextWriter error)
    {
        error.WriteLine($"{face}: the configuration cannot be used:");
        foreach (ConfigurationProblem problem in problems.Where(p => p.IsFatal(strict)))
            error.WriteLine($"  error: {problem}");
        foreach (ConfigurationProblem problem in problems.Where(p => !p.IsFatal(strict)))
            error.WriteLine($"  warning: {problem}");
        return ExitCodes.Failure;
    }

    internal static bool HostHasCgroupV1() => CgroupMounts.Find()?.Version == CgroupVersion.V1;
}
