using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Rulesets.Iptables;

/// <summary>
/// Finds packets whose source and destination are one address. iptables has no match that compares two fields of a packet; a filter program
/// (classic BPF, as the match "bpf" takes it: code, jump if true, jump if false, constant) does. Pure.
/// </summary>
public static class Hairpin
{
    private const int LoadWord = 0x20, Store = 0x02, LoadStored = 0x61, JumpIfEqual = 0x1d, Return = 0x06, All = 0xffff;

    /// <summary>The match of a rule.</summary>
    public static string Match(IPFamily family) => $"-m bpf --bytecode \"{Program(family)}\"";

    private static string Program(IPFamily family)
    {
        // Offsets in the header: source and destination, and how many words of four bytes an address has.
        (int source, int destination, int words) = family == IPFamily.IPv4 ? (12, 16, 1) : (8, 24, 4);
        List<string> code = [];
        for (int i = 0; i < words; i++)
        {
            code.Add($"{LoadWord} 0 0 {destination + (4 * i)}");
            code.Add($"{Store} 0 0 0");
            code.Add($"{LoadWord} 0 0 {source + (4 * i)}");
            code.Add($"{LoadStored} 0 0 0");
            code.Add($"{JumpIfEqual} 0 {(5 * (words - i)) - 4} 0");
        }

        code.Add($"{Return} 0 0 {All}");
        code.Add($"{Return} 0 0 0");
        return $"{code.Count},{string.Join(',', code)}";
    }
}
