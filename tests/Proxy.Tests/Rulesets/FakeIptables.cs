using NodeAgent.Proxy.Kernel.Iptables;

namespace NodeAgent.Proxy.Tests.Rulesets;

/// <summary>A working model of iptables-restore --noflush and iptables-save: tables of chains of rules; refuses what the real one refuses.</summary>
internal sealed class FakeIptables : IIptablesCommands
{
    private static readonly Dictionary<string, string[]> BuiltIn = new()
    {
        ["filter"] = ["INPUT", "FORWARD", "OUTPUT"],
        ["nat"] = ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
        ["mangle"] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    };

    private SortedDictionary<string, SortedDictionary<string, List<string>>> _tables = Fresh();

    public List<string> Inputs { get; } = [];

    public bool Fail { get; set; }

    public void Flush() => _tables = Fresh();

    public List<string> Rules(string table, string chain) => _tables[table].GetValueOrDefault(chain) ?? [];

    public IEnumerable<string> Chains(string table) => _tables[table].Keys;

    public Task<string> SaveAsync(string? table, CancellationToken cancellationToken) => Task.FromResult(Text());

    /// <summary>Everything, in a fixed order.</summary>
    public string Text() => string.Concat(_tables.Select(t =>
        $"*{t.Key}\n" + string.Concat(t.Value.Select(c => $":{c.Key} - [0:0]\n"))
        + string.Concat(t.Value.SelectMany(c => c.Value.Select(r => $"-A {c.Key} {r}\n"))) + "COMMIT\n"));

    public Task RestoreAsync(string input, CancellationToken cancellationToken)
    {
        Inputs.Add(input);
        if (Fail)
        {
            throw new IptablesException("another app is holding the xtables lock", 4);
        }

        SortedDictionary<string, List<string>> current = [];
        foreach (string line in input.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Line(line, ref current);
        }

        CheckJumps();
        return Task.CompletedTask;
    }

    public Task<bool?> HasChainAsync(string table, string chain, CancellationToken cancellationToken) =>
        Task.FromResult<bool?>(_tables[table].ContainsKey(chain));

    public Task<string?> RulesAsync(string table, string chain, bool first, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(string.Concat(Rules(table, chain).Take(first ? 1 : int.MaxValue).Select(rule => $"-A {chain} {rule}\n")));

    private void Line(string line, ref SortedDictionary<string, List<string>> current)
    {
        string[] words = line.Split(' ');
        switch (line[0])
        {
            case '*':
                current = _tables[line[1..]];
                break;
            case ':':
                current[words[0][1..]] = [];
                break;
            case '-' when words[0] == "-A":
                Chain(current, words[1]).Add(line[(words[1].Length + 4)..]);
                break;
            case '-' when words[0] == "-I":
                Chain(current, words[1]).Insert(0, line[(words[1].Length + 6)..]);
                break;
            case '-' when words[0] == "-D":
                Assert.True(Chain(current, words[1]).Remove(line[(words[1].Length + 4)..]), line);
                break;
            case '-' when words[0] == "-X":
                Assert.Empty(Chain(current, words[1]));
                current.Remove(words[1]);
                break;
            default:
                Assert.Equal("COMMIT", line);
                break;
        }
    }

    private static List<string> Chain(SortedDictionary<string, List<string>> table, string chain) =>
        table.TryGetValue(chain, out List<string>? rules) ? rules : throw new IptablesException($"chain {chain} does not exist", 2);

    /// <summary>A jump to a chain that is not there is refused by the kernel.</summary>
    private void CheckJumps()
    {
        foreach ((string table, var chains) in _tables)
        {
            foreach ((string chain, List<string> rules) in chains)
            {
                foreach (string rule in rules)
                {
                    string[] words = rule.Split(' ');
                    int j = Array.LastIndexOf(words, "-j");
                    if (j >= 0 && words[j + 1].StartsWith("KUBE-", StringComparison.Ordinal))
                    {
                        Assert.True(chains.ContainsKey(words[j + 1]), $"{table} {chain}: {rule}");
                    }
                }
            }
        }
    }

    private static SortedDictionary<string, SortedDictionary<string, List<string>>> Fresh() =>
        new(BuiltIn.ToDictionary(t => t.Key, t => new SortedDictionary<string, List<string>>(t.Value.ToDictionary(c => c, _ => new List<string>()), StringComparer.Ordinal)));
}
