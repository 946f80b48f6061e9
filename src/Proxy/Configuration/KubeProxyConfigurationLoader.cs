using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Proxy.Configuration;

/// <summary>What exists only as flags.</summary>
/// <param name="ConfigFile">--config; empty when not given.</param>
/// <param name="StrictConfig">--strict-config.</param>
/// <param name="WriteConfigTo">--write-config-to; empty when not given.</param>
/// <param name="Cleanup">--cleanup.</param>
/// <param name="InitOnly">--init-only.</param>
/// <param name="Master">--master; empty when not given.</param>
public sealed record KubeProxyFlags(string ConfigFile, bool StrictConfig, string WriteConfigTo, bool Cleanup, bool InitOnly, string Master);

/// <summary>A proxy's whole configuration and what was found while reading it.</summary>
/// <param name="Configuration">File and flags merged; usable only when <see cref="IsUsable"/>.</param>
/// <param name="Flags">What exists only as flags.</param>
/// <param name="Gates">The feature gates.</param>
/// <param name="Problems">Everything found, fatal or not.</param>
public sealed record LoadedKubeProxyConfiguration(
    KubeProxyConfiguration Configuration, KubeProxyFlags Flags, FeatureGates Gates, IReadOnlyList<ConfigurationProblem> Problems)
{
    /// <summary>Whether the proxy may start with it.</summary>
    public bool IsUsable => !Problems.Any(p => p.IsFatal(Flags.StrictConfig));
}

/// <summary>Either the file (with the few flags upstream still heeds beside it), or the flags over the defaults.</summary>
public static class KubeProxyConfigurationLoader
{
    private static ConfigurationTable<KubeProxyConfiguration> Table => KubeProxyConfigurationTable.Fields;

    /// <summary>Reads everything a command line names.</summary>
    public static LoadedKubeProxyConfiguration Load(ParsedFlags flags)
    {
        ArgumentNullException.ThrowIfNull(flags);
        List<ConfigurationProblem> problems = [.. flags.Problems];
        KubeProxyFlags own = new(flags.Text("config"), flags.Bool("strict-config"), flags.Text("write-config-to"),
            flags.Bool("cleanup"), flags.Bool("init-only"), flags.Text("master"));
        KubeProxyConfiguration configuration = own.ConfigFile.Length > 0
            ? WithFlagsBesideFile(ReadFile(own.ConfigFile, problems), flags, own.ConfigFile, problems)
            : FromFlags(flags, own);
        configuration = WithHostname(KubeProxyDefaults.ApplyPlatform(configuration), flags, problems);
        string source = own.ConfigFile.Length > 0 ? own.ConfigFile : ConfigurationProblem.CommandLine;
        ConfigurationResult<FeatureGates> gates = FeatureGates.Create(configuration.FeatureGates, source);
        problems.AddRange(gates.Problems);
        if (!problems.Any(p => p.IsFatal(strict: false)))
            problems.AddRange(KubeProxyValidation.Validate(configuration, gates.Value, source));
        problems.AddRange(Table.WithoutEffect(configuration, Unset(own), source));
        return new LoadedKubeProxyConfiguration(configuration, own, gates.Value, problems);
    }

    private static KubeProxyConfiguration Unset(KubeProxyFlags own) =>
        new() { IpvsMinSyncPeriod = own.ConfigFile.Length > 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(1) };

    private static KubeProxyConfiguration ReadFile(string file, List<ConfigurationProblem> problems)
    {
        ConfigurationResult<JsonObject?> read = ConfigurationFile.Read(file, Table.ApiVersion, Table.Kind);
        problems.AddRange(read.Problems);
        if (read.Value is not { } root)
            return KubeProxyDefaults.CompleteAddresses(new KubeProxyConfiguration());
        ConfigurationResult<KubeProxyConfiguration> decoded = Table.Decode(root, file);
        problems.AddRange(decoded.Problems);
        return KubeProxyDefaults.CompleteAddresses(decoded.Value);
    }

    // Beside a file upstream heeds the logging flags only (vmodule lists are joined, flags first) and drops the others without a word.
    private static KubeProxyConfiguration WithFlagsBesideFile(
        KubeProxyConfiguration file, ParsedFlags flags, string source, List<ConfigurationProblem> problems)
    {
        KubeProxyConfiguration result = flags.Apply(file, Table, f => IsLogging(f.FieldPath));
        if (flags.Has("vmodule"))
            result = result with { Logging = result.Logging with { VModule = [.. result.Logging.VModule, .. file.Logging.VModule] } };
        string[] heeded = ["config", "strict-config", "write-config-to", "cleanup", "init-only", "master", "hostname-override", "version", "help"];
        foreach (FlagDefinition flag in flags.Given.Where(f => !heeded.Contains(f.Name) && !IsLogging(f.FieldPath)))
        {
            problems.Add(new ConfigurationProblem(ConfigurationProblemKind.NoEffect, ConfigurationProblem.CommandLine, $"--{flag.Name}",
                $"is not heeded beside --config {source}", "set it in the file"));
        }
        return result;
    }

    private static bool IsLogging(string? path) => path?.StartsWith("logging.", StringComparison.Ordinal) == true;

    private static KubeProxyConfiguration FromFlags(ParsedFlags flags, KubeProxyFlags own)
    {
        // Upstream takes the defaults before it knows the mode: with flags alone ipvs too has a minimum of 1 s.
        KubeProxyConfiguration defaults = KubeProxyDefaults.CompleteAddresses(new KubeProxyConfiguration { IpvsMinSyncPeriod = TimeSpan.FromSeconds(1) });
        KubeProxyConfiguration result = flags.Apply(defaults, Table, _ => true);
        TimeSpan period = flags.Duration("iptables-sync-period", result.IptablesSyncPeriod);
        TimeSpan minimum = flags.Duration("iptables-min-sync-period", result.IptablesMinSyncPeriod);
        result = result with
        {
            IptablesSyncPeriod = period,
            IptablesMinSyncPeriod = minimum,
            NftablesSyncPeriod = period,
            NftablesMinSyncPeriod = minimum,
            IptablesMasqueradeAll = flags.Bool("masquerade-all"),
            NftablesMasqueradeAll = flags.Bool("masquerade-all"),
        };
        if (own.WriteConfigTo.Length > 0)
            return result;
        return result with
        {
            HealthzBindAddress = WithPort(result.HealthzBindAddress, flags.Int32("healthz-port", KubeProxyDefaults.HealthzPort)),
            MetricsBindAddress = WithPort(result.MetricsBindAddress, flags.Int32("metrics-port", KubeProxyDefaults.MetricsPort)),
        };
    }

    private static string WithPort(string address, int port) => port == 0 ? "" : KubeProxyDefaults.AppendPort(address, port);

    private static KubeProxyConfiguration WithHostname(KubeProxyConfiguration configuration, ParsedFlags flags, List<ConfigurationProblem> problems)
    {
        string name = flags.Text("hostname-override");
        if (name.Length == 0)
            return configuration;
        if (name.Trim().Length == 0)
        {
            problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Invalid, ConfigurationProblem.CommandLine, "--hostname-override",
                "is only white space", "give a name or leave it out"));
        }
#pragma warning disable CA1308 // Node names are lower case.
        return configuration with { HostnameOverride = name.Trim().ToLowerInvariant() };
#pragma warning restore CA1308
    }
}
