namespace NodeAgent.Bench;

/// <summary>A kubelet that is measured.</summary>
/// <param name="Name">Its column.</param>
/// <param name="Program">The program.</param>
/// <param name="Command">What comes before the flags.</param>
/// <param name="Environment">Variables besides this process' own.</param>
/// <param name="Flags">Flags of its own.</param>
internal sealed record Subject(string Name, string Program, string[] Command, IReadOnlyDictionary<string, string> Environment, params string[] Flags)
{
    private const string ProgramKey = "PROGRAM";

    /// <summary>The agent, or another build of it.</summary>
    internal static Subject Agent(string name, string program, IReadOnlyDictionary<string, string>? environment = null) =>
        new(name, program, ["kubelet"], environment ?? new Dictionary<string, string>());

    /// <summary>The Go kubelet. What belongs to its iptables chains is left out: this agent does not do it either.</summary>
    internal static Subject Go(string program) => new("kubelet (Go)", program, [], new Dictionary<string, string>(), "--make-iptables-util-chains=false");

    /// <summary>A subject written as NAME:VARIABLE=VALUE,...; the variable PROGRAM names another program.</summary>
    /// <exception cref="FormatException">It is written otherwise.</exception>
    internal static Subject Parse(string text)
    {
        if (text.Split(':', 2) is not [{ Length: > 0 } name, string settings])
        {
            throw new FormatException($"--also {text}: use NAME:VARIABLE=VALUE,...");
        }

        Dictionary<string, string> environment = [];
        foreach (string setting in settings.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = setting.Split('=', 2);
            environment[parts[0]] = parts.Length == 2 ? parts[1] : throw new FormatException($"--also {text}: {setting} has no value");
        }

        environment.Remove(ProgramKey, out string? program);
        return Agent(name, program ?? Harness.Requirements.AgentProgram, environment);
    }
}
