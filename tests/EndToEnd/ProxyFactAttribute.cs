using NodeAgent.Harness.Networks;

namespace NodeAgent.EndToEnd;

/// <summary>As <see cref="ProxyTheoryAttribute"/>, for a single case.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ProxyFactAttribute : FactAttribute
{
    public ProxyFactAttribute() => Skip = ProxyBed.Missing();
}
