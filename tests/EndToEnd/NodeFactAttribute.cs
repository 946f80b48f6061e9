using NodeAgent.Harness;

namespace NodeAgent.EndToEnd;

/// <summary>A test on a node of this machine: skipped, with reason and remedy, where one cannot run.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeFactAttribute : FactAttribute
{
    /// <summary>Why the tests of this project do not run here; null where they do.</summary>
    internal static readonly string? Reason = Environment.GetEnvironmentVariable("NODE_AGENT_E2E") == "1" ? Requirements.Missing()
        : "end-to-end tests run only with NODE_AGENT_E2E=1 for now: the harness is new and has not been seen to pass as a whole";

    public NodeFactAttribute(string? needs = null)
    {
        Skip = Reason;
        if (Skip is null && needs is not null && Requirements.Kubernetes(needs) is null)
            Skip = $"{needs} not found in $KUBERNETES_BIN or PATH";
    }
}
