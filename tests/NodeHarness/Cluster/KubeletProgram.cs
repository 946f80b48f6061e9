namespace NodeAgent.Harness.Cluster;

/// <summary>A program that can be the node's kubelet.</summary>
/// <param name="Name">Its name in tables and messages.</param>
/// <param name="Program">The program.</param>
/// <param name="Command">What comes before the flags.</param>
/// <param name="Environment">Variables besides this process' own.</param>
/// <param name="Flags">Flags of its own.</param>
public sealed record KubeletProgram(string Name, string Program, IReadOnlyList<string> Command, IReadOnlyDictionary<string, string> Environment, params string[] Flags)
{
    /// <summary>The agent, or another build of it.</summary>
    public static KubeletProgram Agent(string name, string program, IReadOnlyDictionary<string, string>? environment = null) =>
        new(name, program, ["kubelet"], environment ?? new Dictionary<string, string>());

    /// <summary>The Go kubelet. What belongs to its iptables chains is left out: this agent does not do it either.</summary>
    public static KubeletProgram Go(string program) => new("kubelet (Go)", program, [], new Dictionary<string, string>(), "--make-iptables-util-chains=false");
}
