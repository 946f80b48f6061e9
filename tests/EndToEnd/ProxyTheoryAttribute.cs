using NodeAgent.Harness.Networks;

namespace NodeAgent.EndToEnd;

/// <summary>A test of the proxy in network namespaces: skipped, with reason and remedy, where it cannot run.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ProxyTheoryAttribute : TheoryAttribute
{
    public ProxyTheoryAttribute() => Skip = ProxyBed.Missing();
}
