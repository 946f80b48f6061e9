using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.V1;
using NodeAgent.Doctor;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;
using NodeAgent.Linux.Cgroups;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Commands;

/// <summary>
/// node-agent doctor: looks at this host with the flags the kubelet gets; without any, with kubeadm's files. Ends with 1 when the node could
/// not become Ready.
/// </summary>
internal static class DoctorCommand
{
    private const string ConfigFile = "/var/lib/kubelet/config.yaml";
    private const string KubeconfigFile = "/etc/kubernetes/kubelet.conf";
    private const string BootstrapFile = "/etc/kubernetes/bootstrap-kubelet.conf";
    private static readonly TimeSpan RuntimeLimit = TimeSpan.FromSeconds(5);

    internal static async Task<int> RunAsync(IReadOnlyList<string> arguments, CommandContext context)
    {
        HostFiles host = new();
        ParsedFlags flags = KubeletFlagTable.Flags.Parse(WithUsualFiles(arguments, host));
        if (VersionFlag.PrintIfAsked(KubeletFlagTable.Flags, flags, "Looks at this host; takes the flags of the kubelet.", context.Output) is { } code)
            return code;
        CgroupMounts? cgroups = CgroupMounts.Find();
        LoadedKubeletConfiguration loaded = KubeletConfigurationLoader.Load(flags, cgroups?.Version == CgroupVersion.V1);
        FindingLevel worst = FindingLevel.Ok;
        await foreach (Finding finding in FindAsync(host, cgroups, loaded, context.Time))
        {
            context.Output.WriteLine(finding);
            worst = finding.Level > worst ? finding.Level : worst;
        }
        context.Output.WriteLine(worst switch
        {
            FindingLevel.Ok => "All is well.",
            FindingLevel.Warn => "The node can become Ready.",
            _ => "The node could not become Ready: mend what is marked FAIL.",
        });
        return worst == FindingLevel.Fail ? ExitCodes.Failure : ExitCodes.Success;
    }

    private static async IAsyncEnumerable<Finding> FindAsync(HostFiles host, CgroupMounts? cgroups, LoadedKubeletConfiguration loaded, TimeProvider time)
    {
        KubeletConfiguration configuration = loaded.Configuration;
        IEnumerable<Finding> first =
        [
            .. HostChecks.Kernel(host), .. HostChecks.Cgroups(host, cgroups, configuration), .. HostChecks.Swap(new HostInformation(), configuration),
            .. HostChecks.KernelParameters(host, configuration), .. HostChecks.Programs(host), .. HostChecks.Clock(time, host),
            .. NodeChecks.Configuration(loaded), .. NodeChecks.Kubeconfig(host, loaded.Flags, time),
        ];
        foreach (Finding finding in first)
            yield return finding;
        foreach (Finding finding in await ClusterChecks.ApiServerAsync(host, loaded.Flags, time, CancellationToken.None))
            yield return finding;
        foreach (Finding finding in ClusterChecks.StaticPods(host, configuration))
            yield return finding;
        using CancellationTokenSource limit = new(RuntimeLimit, time);
        yield return await NodeChecks.RuntimeAsync(configuration.ContainerRuntimeEndpoint, RuntimeVersionAsync, limit.Token);
        foreach (Finding finding in NodeChecks.NetworkPlugins(host).Concat(NodeChecks.Disk(loaded.Flags.RootDirectory)).Concat(NodeChecks.Ports(host, configuration)))
            yield return finding;
    }

    private static async Task<string> RuntimeVersionAsync(string endpoint, CancellationToken cancellationToken)
    {
        using CriConnection connection = new(CriEndpoint.Parse(endpoint), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);
        VersionResponse version = await connection.NegotiateAsync(cancellationToken);
        return $"{version.RuntimeName} {version.RuntimeVersion}, CRI {version.RuntimeApiVersion}";
    }

    private static List<string> WithUsualFiles(IReadOnlyList<string> arguments, HostFiles host)
    {
        List<string> all = [.. arguments];
        Add("--config", ConfigFile);
        Add("--kubeconfig", KubeconfigFile);
        Add("--bootstrap-kubeconfig", BootstrapFile);
        return all;

        void Add(string flag, string file)
        {
            bool given = arguments.Any(a => a == flag || a.StartsWith($"{flag}=", StringComparison.Ordinal));
            if (!given && host.Exists(file))
                all.Add($"{flag}={file}");
        }
    }
}
