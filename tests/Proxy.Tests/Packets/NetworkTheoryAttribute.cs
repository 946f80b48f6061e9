namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>Needs root, ip and iptables; runs for each iptables backend that is installed.</summary>
internal sealed class NetworkTheoryAttribute : TheoryAttribute
{
    public NetworkTheoryAttribute()
    {
        if (Environment.UserName != "root")
        {
            Skip = "needs root: makes network namespaces";
        }
        else if (!File.Exists("/usr/sbin/iptables-nft") && !File.Exists("/usr/sbin/iptables-legacy"))
        {
            Skip = "needs the iptables package";
        }
    }
}
