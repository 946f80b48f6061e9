using NodeAgent.Kubernetes.Configuration;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>What validators look at, and where they report.</summary>
internal sealed class ValidationRun(KubeletConfiguration configuration, FeatureGates gates, string source)
{
    internal KubeletConfiguration Configuration => configuration;

    internal FeatureGates Gates => gates;

    internal List<ConfigurationProblem> Problems { get; } = [];

    /// <summary>Reports unless <paramref name="holds"/>.</summary>
    internal void Require(bool holds, string path, string message, string remedy)
    {
        if (!holds)
            Problems.Add(new ConfigurationProblem(ConfigurationProblemKind.Invalid, source, path, message, remedy));
    }

    internal void RequireRange(long value, long least, long most, string path) =>
        Require(value >= least && value <= most, path, $"{value} is out of range", $"use {least} to {most}");

    internal void RequireNotNegative(long value, string path) => Require(value >= 0, path, $"{value} is negative", "use 0 or more");

    internal void RequireOneOf(string value, string path, params ReadOnlySpan<string> allowed) =>
        Require(allowed.Contains(value), path, $"\"{value}\" is not supported", $"use one of \"{string.Join("\", \"", allowed)}\"");
}
