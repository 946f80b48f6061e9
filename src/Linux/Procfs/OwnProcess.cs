using System.Runtime.InteropServices;

namespace NodeAgent.Linux.Procfs;

/// <summary>What the kernel lets this process do. Raising a limit or lowering the OOM score takes CAP_SYS_RESOURCE.</summary>
public static partial class OwnProcess
{
    private const int OpenFiles = 7;

    /// <summary>Sets how likely this process is killed when memory runs out.</summary>
    /// <param name="score">From -1000 (never) to 1000.</param>
    /// <returns>Why it could not be set; null where it was.</returns>
    public static string? SetOomScore(int score)
    {
        try
        {
            File.WriteAllText("/proc/self/oom_score_adj", score.ToString(System.Globalization.CultureInfo.InvariantCulture));
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    /// <summary>Sets how many files this process may have open; as many as it may where the limit cannot be raised so far.</summary>
    /// <returns>Why it could not be set as wanted; null where it was.</returns>
    public static string? SetMaximumOpenFiles(ulong files)
    {
        var wanted = new Limits { Soft = files, Hard = files };
        if (Set(OpenFiles, ref wanted) == 0)
        {
            return null;
        }

        string refused = Marshal.GetLastPInvokeErrorMessage();
        if (Get(OpenFiles, out Limits allowed) == 0)
        {
            allowed.Soft = Math.Min(files, allowed.Hard);
            _ = Set(OpenFiles, ref allowed);
        }

        return refused;
    }

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int Get(int resource, out Limits limits);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int Set(int resource, ref Limits limits);

    private struct Limits
    {
        public ulong Soft;
        public ulong Hard;
    }
}
