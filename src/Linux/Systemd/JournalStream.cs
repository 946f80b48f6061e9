namespace NodeAgent.Linux.Systemd;

/// <summary>Whether standard error goes straight to the journal, which then reads a priority in front of each line.</summary>
public static class JournalStream
{
    /// <param name="variable">The value of JOURNAL_STREAM: device and inode with a colon.</param>
    /// <param name="standardError">What /proc/self/fd/2 links to.</param>
    public static bool IsJournal(string? variable, string? standardError)
    {
        int colon = variable?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        return colon > 0 && standardError is not null && standardError.EndsWith($"socket:[{variable![(colon + 1)..]}]", StringComparison.Ordinal);
    }

    /// <summary>Asks this process.</summary>
    public static bool Detect()
    {
        try
        {
            return IsJournal(Environment.GetEnvironmentVariable("JOURNAL_STREAM"), new FileInfo("/proc/self/fd/2").LinkTarget);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
