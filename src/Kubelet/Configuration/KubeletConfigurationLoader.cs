using System.Text.Json.Nodes;
using NodeAgent.Kubelet.Configuration.Validation;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;
using NodeAgent.Kubernetes.Patches;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>A kubelet's whole configuration and what was found while reading it.</summary>
/// <param name="Configuration">Files and flags merged; usable only when <see cref="IsUsable"/>.</param>
/// <param name="Flags">What exists only as flags.</param>
/// <param name="Gates">The feature gates.</param>
/// <param name="Problems">Everything found, fatal or not.</param>
public sealed record LoadedKubeletConfiguration(
    KubeletConfiguration Configuration, KubeletFlags Flags, FeatureGates Gates, IReadOnlyList<ConfigurationProblem> Problems)
{
    /// <summary>Whether the kubelet may start with it.</summary>
    public bool IsUsable => !Problems.Any(p => p.IsFatal(Flags.StrictConfig));
}

/// <summary>Flags over drop-ins over the file over defaults (upstream: cmd/kubelet/app/server.go, loadConfigFile and after).</summary>
public static class KubeletConfigurationLoader
{
    private static ConfigurationTable<KubeletConfiguration> Table => KubeletConfigurationTable.Fields;

    /// <summary>Reads everything a command line names.</summary>
    /// <param name="flags">The command line.</param>
    /// <param name="hostHasCgroupV1">Whether this host has cgroup v1, which failCgroupV1 refuses.</param>
    public static LoadedKubeletConfiguration Load(ParsedFlags flags, bool hostHasCgroupV1)
    {
        ArgumentNullException.ThrowIfNull(flags);
        List<ConfigurationProblem> problems = [.. flags.Problems];
        KubeletFlags own = KubeletFlags.From(flags);
        KubeletConfiguration configuration = KubeletConfiguration.FlagsOnly;
        if (own.ConfigFile.Length > 0)
            configuration = ReadFile(own.ConfigFile, problems);
        if (own.ConfigDirectory.Length > 0)
            configuration = MergeDropIns(configuration, own, problems);
        configuration = ApplyFlags(configuration, flags);
        string source = own.ConfigFile.Length > 0 ? own.ConfigFile : ConfigurationProblem.CommandLine;
        ConfigurationResult<FeatureGates> gates = FeatureGates.Create(configuration.FeatureGates, source);
        problems.AddRange(gates.Problems);
        if (!problems.Any(p => p.IsFatal(strict: false)))
            problems.AddRange(KubeletValidation.Validate(configuration, gates.Value, hostHasCgroupV1, source));
        problems.AddRange(KubeletFlagValidation.Validate(own));
        problems.AddRange(Table.WithoutEffect(configuration, Unset(own), source));
        return new LoadedKubeletConfiguration(ReserveCpus(configuration), own, gates.Value, problems);
    }

    // What the same command line would give with an empty file.
    private static KubeletConfiguration Unset(KubeletFlags own) => own.ConfigFile.Length > 0
        ? KubeletDerivedDefaults.Complete(new KubeletConfiguration(), [], fromConfigFile: true)
        : KubeletConfiguration.FlagsOnly;

    private static KubeletConfiguration ReadFile(string file, List<ConfigurationProblem> problems)
    {
        ConfigurationResult<JsonObject?> read = ConfigurationFile.Read(file, Table.ApiVersion, Table.Kind);
        problems.AddRange(read.Problems);
        if (read.Value is not { } root)
            return KubeletDerivedDefaults.Complete(new KubeletConfiguration(), [], fromConfigFile: true);
        ConfigurationResult<KubeletConfiguration> decoded = Table.Decode(root, file);
        problems.AddRange(decoded.Problems);
        KubeletConfiguration configuration = KubeletDerivedDefaults.Complete(decoded.Value, root, fromConfigFile: true);
        return ResolvePaths(configuration, Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/");
    }

    private static KubeletConfiguration MergeDropIns(KubeletConfiguration configuration, KubeletFlags own, List<ConfigurationProblem> problems)
    {
        JsonObject merged = Table.Encode(configuration);
        foreach (string file in DropInFiles(own.ConfigDirectory, problems))
        {
            ConfigurationResult<JsonObject?> read = ConfigurationFile.Read(file, Table.ApiVersion, Table.Kind);
            problems.AddRange(read.Problems);
            if (read.Value is not { } patch)
                continue;
            problems.AddRange(Table.Decode(patch, file).Problems);
            merged = JsonMergePatch.Apply(merged, patch) as JsonObject ?? merged;
        }
        return KubeletDerivedDefaults.Complete(Table.Decode(merged, own.ConfigDirectory).Value, merged, fromConfigFile: false);
    }

    // As a walk in lexical order: a folder's content comes at the place of the folder's name.
    private static List<string> DropInFiles(string directory, List<ConfigurationProblem> problems)
    {
        List<string> files = [];
        try
        {
            Walk(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Invalid, directory, "", $"cannot be read: {e.Message}",
                "create the folder or leave --config-dir out"));
        }
        return files;

        void Walk(string folder)
        {
            foreach (string entry in Directory.GetFileSystemEntries(folder).Order(StringComparer.Ordinal))
            {
                if (Directory.Exists(entry) && !File.GetAttributes(entry).HasFlag(FileAttributes.ReparsePoint))
                    Walk(entry);
                else if (entry.EndsWith(".conf", StringComparison.Ordinal))
                    files.Add(entry);
            }
        }
    }

    private static KubeletConfiguration ApplyFlags(KubeletConfiguration configuration, ParsedFlags flags)
    {
        KubeletConfiguration result = flags.Apply(configuration, Table, f => f.Name != "feature-gates");
        Dictionary<string, bool> gates = new(configuration.FeatureGates, StringComparer.Ordinal);
        foreach ((string name, bool on) in flags.BoolMap("feature-gates"))
            gates[name] = on;
        return result with { FeatureGates = gates, SeccompDefault = result.SeccompDefault || flags.Bool("seccomp-default") };
    }

    private static KubeletConfiguration ResolvePaths(KubeletConfiguration configuration, string directory)
    {
        return configuration with
        {
            StaticPodPath = Resolve(configuration.StaticPodPath),
            ClientCAFile = Resolve(configuration.ClientCAFile),
            TlsCertFile = Resolve(configuration.TlsCertFile),
            TlsPrivateKeyFile = Resolve(configuration.TlsPrivateKeyFile),
            ResolvConf = Resolve(configuration.ResolvConf),
            VolumePluginDir = Resolve(configuration.VolumePluginDir),
            PodLogsDir = Resolve(configuration.PodLogsDir),
        };

        string Resolve(string path) => path.Length == 0 || Path.IsPathRooted(path) ? path : Path.GetFullPath(path, directory);
    }

    // reservedSystemCPUs stands for the CPU part of both reservations.
    private static KubeletConfiguration ReserveCpus(KubeletConfiguration configuration)
    {
        if (!CpuList.TryParse(configuration.ReservedSystemCPUs, out IReadOnlySet<int> cpus) || cpus.Count == 0)
            return configuration;
        Dictionary<string, string> kube = new(configuration.KubeReserved, StringComparer.Ordinal);
        kube.Remove("cpu");
        Dictionary<string, string> system = new(configuration.SystemReserved, StringComparer.Ordinal)
        {
            ["cpu"] = cpus.Count.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        return configuration with { KubeReserved = kube, SystemReserved = system };
    }
}
