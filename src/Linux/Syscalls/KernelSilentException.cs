namespace NodeAgent.Linux.Syscalls;

/// <summary>A call of <see cref="BlockingWork"/> did not return in its time: the file system below it does not answer.</summary>
/// <param name="key">What hangs: a volume, a folder.</param>
/// <param name="limit">How long was waited.</param>
public sealed class KernelSilentException(string key, TimeSpan limit)
    : IOException(FormattableString.Invariant($"{key}: the file system has not answered for {limit.TotalSeconds:0} s; look for a frozen, full or unreachable disk or network mount"));
