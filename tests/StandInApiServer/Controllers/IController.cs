using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Makes the stored state what it should be, from the whole of it each time.</summary>
internal interface IController
{
    /// <summary>The kinds whose changes call for a pass.</summary>
    IReadOnlyList<ResourceDefinition> Inputs { get; }

    /// <summary>True when time alone can call for a pass: then there is one each second.</summary>
    bool Ticks { get; }

    /// <summary>One pass. What fails because an object changed meanwhile comes right in the next.</summary>
    void Reconcile();
}
