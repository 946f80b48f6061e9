namespace NodeAgent.Proxy.Tests.Packets;

/// <summary>A test of ipvs mode alone, for each family: no host of tests need have ip_vs, so <see cref="PacketProgram"/> runs it in the guest.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PacketRowAttribute : Attribute
{
    /// <summary>Only for this family.</summary>
    public string Only { get; init; } = "";
}
