using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;
using NodeAgent.Proxy.Configuration;

namespace NodeAgent.Commands;

/// <summary>node-agent kube-proxy.</summary>
internal static class KubeProxyCommand
{
    internal static async Task<int> RunAsync(IReadOnlyList<string> arguments, CommandContext context)
    {
        ParsedFlags flags = KubeProxyFlagTable.Flags.Parse(arguments);
        if (VersionFlag.PrintIfAsked(KubeProxyFlagTable.Flags, flags, "The service proxy of Kubernetes: routes traffic of Services.", context.Output) is { } code)
            return code;
        LoadedKubeProxyConfiguration loaded = KubeProxyConfigurationLoader.Load(flags);
        if (!loaded.IsUsable)
            return KubeletCommand.Refuse("kube-proxy", loaded.Problems, loaded.Flags.StrictConfig, context.Error);
        if (loaded.Flags.WriteConfigTo.Length > 0)
            return Write(loaded, context);
        using AgentProcess process = new(loaded.Configuration.Logging, context.Time);
        return await process.RunAsync("kube-proxy", loaded.Problems, stop => context.Faces.CreateProxy(loaded, process.Services).RunAsync(stop));
    }

    // JSON is YAML too.
    private static int Write(LoadedKubeProxyConfiguration loaded, CommandContext context)
    {
        string path = loaded.Flags.WriteConfigTo;
        try
        {
            string text = KubeProxyConfigurationTable.Fields.Encode(loaded.Configuration).ToJsonString();
            File.WriteAllText(path, text + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            context.Error.WriteLine(new ConfigurationProblem(ConfigurationProblemKind.Invalid, ConfigurationProblem.CommandLine, "--write-config-to",
                $"cannot write {path}: {e.Message}", "give a path that can be written"));
            return ExitCodes.Failure;
        }
        context.Output.WriteLine($"Wrote configuration to {path}");
        return ExitCodes.Success;
    }
}
