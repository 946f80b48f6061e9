using System.Globalization;

namespace NodeAgent.Kubelet.Sandboxes;

/// <summary>The user and group ids that pods with a user namespace of their own share out. Source: pkg/kubelet/userns.</summary>
/// <param name="First">First id, a multiple of <paramref name="PerPod"/> and never 0.</param>
/// <param name="Length">How many, a multiple of <paramref name="PerPod"/>.</param>
/// <param name="PerPod">userNamespaces.idsPerPod.</param>
public sealed record UserNamespaceRange(uint First, uint Length, uint PerPod)
{
    /// <summary>userNamespaces.idsPerPod where it is not set.</summary>
    public const uint DefaultPerPod = Unit;

    private const uint Unit = 65536;

    /// <summary>How many pods there is room for.</summary>
    public int Slots => (int)(Length / PerPod);

    /// <summary>All ids but those below the first pod's.</summary>
    public static UserNamespaceRange Everything(uint perPod) => new(perPod, (uint)((1L << 32) - perPod), perPod);

    /// <summary>The same where it can be shared out among so many pods.</summary>
    /// <exception cref="FormatException">It cannot; says why.</exception>
    public UserNamespaceRange Verified(int maxPods)
    {
        const string Remedy = "change the ranges of user kubelet in /etc/subuid and /etc/subgid, or userNamespaces.idsPerPod";
        return PerPod == 0 || PerPod % Unit != 0 ? throw new FormatException($"userNamespaces.idsPerPod: {PerPod} is not a multiple of {Unit}")
            : First % PerPod != 0 ? throw new FormatException($"user namespaces: the first id of user kubelet, {First}, is not a multiple of {PerPod}; {Remedy}")
            : First < PerPod ? throw new FormatException($"user namespaces: the first id of user kubelet, {First}, must be greater or equal to {PerPod}; {Remedy}")
            : Length % PerPod != 0 ? throw new FormatException($"user namespaces: {Length} ids of user kubelet are not a multiple of {PerPod}; {Remedy}")
            : Length / PerPod < maxPods ? throw new FormatException($"user namespaces: {Length} ids of user kubelet are not enough for {maxPods} pods; {Remedy}")
            : this;
    }

    /// <summary>What getsubids prints for a user with one range: "0: kubelet 65536 2147483648".</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static UserNamespaceRange Parse(string output, uint perPod)
    {
        ArgumentNullException.ThrowIfNull(output);
        string[] words = output.Trim('\n').Split('\n') is [var line] ? line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) : [];
        return words.Length == 4
            && uint.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint first) && uint.TryParse(words[3], NumberStyles.None, CultureInfo.InvariantCulture, out uint length)
            ? new UserNamespaceRange(first, length, perPod)
            : throw new FormatException($"getsubids: \"{output.Trim()}\" is not one range of ids; give user kubelet exactly one line in /etc/subuid and the same in /etc/subgid");
    }
}
