namespace NodeAgent.Proxy.Tests.Kernel;

/// <summary>Needs root, ip, iptables and the ipset program with its kernel part.</summary>
internal sealed class IpsetTheoryAttribute : TheoryAttribute
{
    public IpsetTheoryAttribute()
    {
        if (Environment.UserName != "root")
        {
            Skip = "needs root: makes network namespaces";
        }
        else if (!File.Exists("/usr/sbin/ipset") || !File.Exists("/usr/sbin/iptables-nft-restore"))
        {
            Skip = "needs the packages ipset and iptables";
        }
    }
}
