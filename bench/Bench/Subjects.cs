using NodeAgent.Harness.Cluster;

namespace NodeAgent.Bench;

/// <summary>Kubelets that are measured besides the usual ones.</summary>
internal static class Subjects
{
    private const string ProgramKey = "PROGRAM";

    /// <summary>A subject written as NAME:VARIABLE=VALUE,...; the variable PROGRAM names another program.</summary>
    /// <exception cref="FormatException">It is written otherwise.</exception>
    internal static KubeletProgram Parse(string text)
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
        return KubeletProgram.Agent(name, program ?? Harness.Requirements.AgentProgram, environment);
    }
}
