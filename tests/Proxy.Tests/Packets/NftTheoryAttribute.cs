namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>Needs root, ip and the nft program, which lists what is programmed.</summary>
internal sealed class NftTheoryAttribute : TheoryAttribute
{
    public NftTheoryAttribute()
    {
        if (Environment.UserName != "root")
        {
            Skip = "needs root: makes network namespaces";
        }
        else if (!File.Exists("/usr/sbin/nft"))
        {
            Skip = "needs the nftables package";
        }
    }
}
