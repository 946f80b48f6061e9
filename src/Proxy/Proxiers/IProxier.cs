using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Proxiers;

/// <summary>Brings one family's rules to what the state wants, in one mode.</summary>
public interface IProxier
{
    /// <summary>The family programmed.</summary>
    IPFamily Family { get; }

    /// <summary>Called after each pass.</summary>
    event Action<ProxyPass>? Passed;

    /// <summary>Service ports whose inside, and whose outside, traffic is dropped for want of a local endpoint. Not during a pass.</summary>
    (int Internal, int External) Dropped { get; }

    /// <summary>One pass; true where the kernel has what is wanted. Not to be called twice at once.</summary>
    Task<bool> SyncAsync(CancellationToken cancellationToken);
}
