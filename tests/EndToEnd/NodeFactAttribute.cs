using NodeAgent.Harness;

namespace NodeAgent.EndToEnd;

/// <summary>A test on a node of this machine: skipped, with reason and remedy, where one cannot run.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeFactAttribute : FactAttribute
{
    /// <summary>Why the tests of this project do not run here; null where they do.</summary>
    internal static readonly string? Reason = Requirements.Missing();

    public NodeFactAttribute() => Skip = Reason;
}

/// <summary>The same with one run for each row of data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NodeTheoryAttribute : TheoryAttribute
{
    public NodeTheoryAttribute() => Skip = NodeFactAttribute.Reason;
}
