namespace NodeAgent.Kubelet.Logs;

/// <summary>What is done with the files of earlier rotations before a log is rotated once more.</summary>
/// <param name="Remove">What a rotation left half done, then the oldest that are too many.</param>
/// <param name="Compress">Not compressed yet, oldest first.</param>
internal sealed record LogRotationPlan(IReadOnlyList<string> Remove, IReadOnlyList<string> Compress)
{
    /// <summary>Ends the name of a compressed file.</summary>
    public const string CompressedSuffix = ".gz";
    /// <summary>Ends the name of a file that is being compressed.</summary>
    public const string TemporarySuffix = ".tmp";

    /// <summary>Go's 20060102-150405: what a rotated log has after its name, in local time.</summary>
    public const string TimeFormat = "yyyyMMdd-HHmmss";

    /// <summary>
    /// Decides. Whatever instant the agent was killed at, each rotated log is counted and kept once: a temporary file is rubbish, and a plain
    /// file beside its compressed twin was compressed whole. Pure. Source: pkg/kubelet/logs/container_log_manager.go.
    /// </summary>
    /// <param name="rotated">Names in the folder that begin with the log's name and a dot.</param>
    /// <param name="maximumFiles">Files in all, the live one and the one about to be rotated included.</param>
    public static LogRotationPlan Of(IReadOnlyCollection<string> rotated, int maximumFiles)
    {
        HashSet<string> all = [.. rotated];
        bool IsKept(string name) => !name.EndsWith(TemporarySuffix, StringComparison.Ordinal) && !all.Contains(name + CompressedSuffix);
        string[] kept = [.. rotated.Where(IsKept).Order(StringComparer.Ordinal)];
        int tooMany = Math.Max(0, kept.Length - Math.Max(0, maximumFiles - 2));
        return new LogRotationPlan(
            [.. rotated.Where(n => !IsKept(n)), .. kept.Take(tooMany)],
            [.. kept.Skip(tooMany).Where(n => !n.EndsWith(CompressedSuffix, StringComparison.Ordinal))]);
    }
}
