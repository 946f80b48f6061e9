namespace NodeAgent.Hosting;

/// <summary>
/// For tests of systemd's watchdog alone: makes a loop stand still. Off unless <see cref="Variable"/> names, when the agent starts, a folder
/// that only its owner can write; then NAME.limit (seconds) replaces a loop's limit, and a loop stands at its next turn as long as
/// NAME.blocked exists. NAME is the loop's name with dashes for spaces. Whoever can set the agent's environment and write such a folder can
/// stop the agent by simpler means.
/// </summary>
internal sealed class LoopStall(string folder)
{
    internal const string Variable = "NODE_AGENT_TEST_STALL";
    private const UnixFileMode Others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMilliseconds(200);

    /// <summary>Null where the variable is not set.</summary>
    /// <exception cref="InvalidOperationException">The folder does not exist or others may write it.</exception>
    internal static LoopStall? FromEnvironment() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? Open(folder) : null;

    /// <exception cref="InvalidOperationException">The folder does not exist or others may write it.</exception>
    internal static LoopStall Open(string folder)
    {
        if (!Directory.Exists(folder) || (File.GetUnixFileMode(folder) & Others) != 0)
            throw new InvalidOperationException($"{Variable}={folder}: must be a folder that only its owner can write; unset it, it is for tests only");
        return new LoopStall(folder);
    }

    /// <summary>The limit of a loop, where the folder gives one.</summary>
    internal TimeSpan? LimitOf(string loop)
    {
        string file = FileOf(loop, "limit");
        return !File.Exists(file) ? null
            : int.TryParse(File.ReadAllText(file), out int seconds) && seconds > 0 ? TimeSpan.FromSeconds(seconds)
            : throw new InvalidOperationException($"{file}: must hold a number of seconds");
    }

    /// <summary>Returns at once, or when the loop's file is gone.</summary>
    internal void Pass(string loop)
    {
        string file = FileOf(loop, "blocked");
        using ManualResetEventSlim never = new();
        while (File.Exists(file))
            never.Wait(LookPeriod);
    }

    private string FileOf(string loop, string kind) => Path.Combine(folder, $"{loop.Replace(' ', '-')}.{kind}");
}
