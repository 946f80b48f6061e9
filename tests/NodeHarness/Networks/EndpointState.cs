namespace NodeAgent.Harness.Networks;

/// <summary>What an EndpointSlice says of an endpoint.</summary>
public enum EndpointState
{
    /// <summary>Nothing: it is not listed.</summary>
    Absent,

    /// <summary>It takes connections.</summary>
    Ready,

    /// <summary>It takes none.</summary>
    NotReady,

    /// <summary>It ends and still serves; it takes connections only where no other endpoint is ready.</summary>
    Terminating,
}
