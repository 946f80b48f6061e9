using NodeAgent.Harness;

namespace NodeAgent.EndToEnd;

/// <summary>A test on a node of this machine: skipped, with reason and remedy, where one cannot run.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeFactAttribute : FactAttribute
{
    private static readonly string? Reason = Requirements.Missing();

    public NodeFactAttribute(string? needs = null)
    {
        Skip = Reason;
        if (Skip is null && needs is not null && Requirements.Kubernetes(needs) is null)
            Skip = $"{needs} not found in $KUBERNETES_BIN or PATH";
    }
}
