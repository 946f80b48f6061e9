using NodeAgent.Harness.Networks;
using NodeAgent.Proxy.Kernel.Ipvs;
using NodeAgent.Proxy.Rulesets.Ipvs;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>The kernel's IPVS of a network namespace: the addresses it reads are those of the thread that asks.</summary>
internal sealed class IpvsKernelInNamespace : IIpvsKernel
{
    private readonly NetworkNamespace _where;

    public IpvsKernelInNamespace(NetworkNamespace where, IPFamily family)
    {
        _where = where;
        Kernel = where.Within(() => IpvsKernel.Open(family) ?? throw new InvalidOperationException("the kernel has no ip_vs now: modprobe ip_vs"));
    }

    public IpvsKernel Kernel { get; }

    public IPFamily Family => Kernel.Family;

    public IpvsObserved Read() => _where.Within(Kernel.Read);

    public IReadOnlyList<string> Apply(IEnumerable<IpvsStep> steps) => _where.Within(() => Kernel.Apply(steps));

    public void Dispose() => Kernel.Dispose();
}
