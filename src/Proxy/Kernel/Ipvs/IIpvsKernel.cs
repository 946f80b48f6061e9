using NodeAgent.Linux.Netlink;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Ipvs;

/// <summary>What the proxier needs of the kernel in ipvs mode, for one family.</summary>
public interface IIpvsKernel : IDisposable
{
    /// <summary>The family.</summary>
    IPFamily Family { get; }

    /// <summary>What is there.</summary>
    /// <exception cref="NetlinkException">It cannot be read.</exception>
    IpvsObserved Read();

    /// <summary>Does the steps in order; one that fails holds up no other. Gives what failed, in words.</summary>
    IReadOnlyList<string> Apply(IEnumerable<IpvsStep> steps);
}
