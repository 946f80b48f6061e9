using System.Text.RegularExpressions;

namespace NodeAgent.EndToEnd.Switching;

/// <summary>
/// What may differ before and after a node has changed hands, each with its reason; all else must be equal. A difference reads
/// "name: before → after".
/// </summary>
internal static partial class ExpectedDifferences
{
    private const string Go = KubeletSwitchTests.Go;
    private static readonly Regex[] Always = [Generation(), LoopingPod(), Token(), ClassShare()], ToGo = [StaticTimes(), StaticMountsGone(), MemoryWithoutLimit(), EndedAddress(), EndedContainers(), OwnPodLeft()],
        FromGo = [StaticMountsBack(), EndedFolders(), OwnPodLeft()];

    /// <summary>Whether this difference is one of them.</summary>
    /// <param name="from">Whose node it was.</param>
    /// <param name="to">Whose it is.</param>
    /// <param name="difference">Name, value before and after.</param>
    internal static bool Allow(string from, string to, string difference) =>
        Always.Concat(from == Go ? FromGo : []).Concat(to == Go ? ToGo : []).Any(rule => rule.IsMatch(difference));

    /// <summary>Readiness that was lost. A Go kubelet that starts knows nothing of a static pod's status any more, not even its start, and makes it anew.</summary>
    internal static bool AllowFlap(string to, string flap) => to == Go && flap.Contains(" static-", StringComparison.Ordinal);

    // The test counts the generation up to see that the pod was looked at.
    [GeneratedRegex(@"^pod [^ ]+ [^ ]+ status(\.conditions\[\w+\])?\.observedGeneration: ")]
    private static partial Regex Generation();

    // It is started again and again by any kubelet; Switching/LoopingPod judges its count and its waits. Its sandbox, volumes and the pod's cgroup stay.
    [GeneratedRegex(@"^(pod|container) looping |^file looping (containers/main/|etc-hosts)|^cgroup looping .*/[0-9a-f]{64}/")]
    private static partial Regex LoopingPod();

    // Tokens are kept in memory only, and asked for anew by who starts; with them the volume's content changes hands, atomically.
    [GeneratedRegex(@"^file [^ ]+ volumes/kubernetes\.io~projected/(kube-api-access-[^/]+|token)/\.\.(data|\d{4}_)")]
    private static partial Regex Token();

    // The share of the Burstable class follows the requests of its pods once a minute.
    [GeneratedRegex(@"^cgroup - .*/kubepods/burstable/cpu\.(shares|weight): ")]
    private static partial Regex ClassShare();

    // Go: a static pod's status is made anew at each start of the kubelet.
    [GeneratedRegex(@"^pod static-[^ ]+ [^ ]+ status\.(startTime|conditions\[\w+\]\.lastTransitionTime): ")]
    private static partial Regex StaticTimes();

    // Go: the mounts of a static pod's containers are told only until the next start of the kubelet.
    [GeneratedRegex(@"^pod static-[^ ]+ [^ ]+ status\.containerStatuses\[main\]\.volumeMounts\[etc\]\.\w+: [^ ]+ → absent$")]
    private static partial Regex StaticMountsGone();

    // The same, put right.
    [GeneratedRegex(@"^pod static-[^ ]+ [^ ]+ status\.containerStatuses\[main\]\.volumeMounts\[etc\]\.\w+: absent → [^ ]+$")]
    private static partial Regex StaticMountsBack();

    // Go: in cgroups of version 1 a container that it has not started itself and that has no limit shows the kernel's largest number; a pod that has ended, none.
    [GeneratedRegex(@"^pod [^ ]+ [^ ]+ status\.resources\.limits\.memory: (absent → ""9007199254740988Ki""|""9007199254740988Ki"" → absent)$")]
    private static partial Regex MemoryWithoutLimit();

    // Go: a pod that has ended loses its address at the next start of the kubelet.
    [GeneratedRegex(@"^pod (ended-|overdue)[^ ]* [^ ]+ status\.podIPs?(\[[^\]]+\]\.ip)?: [^ ]+ → absent$")]
    private static partial Regex EndedAddress();

    // Go: its collection, which begins with its start, takes earlier attempts of what has ended.
    [GeneratedRegex(@"^container (ended-|overdue)[^ ]* main [^ ]+: ContainerExited attempt \d+ → absent$")]
    private static partial Regex EndedContainers();

    // Go: empty folders of volumes of a pod that has ended stay until its object goes.
    [GeneratedRegex(@"^file (ended-|overdue)[^ ]* (volumes|plugins)[^:]*: .* → absent$")]
    private static partial Regex EndedFolders();

    // Go: what is left of the pod this test starts and deletes itself goes with the next collection, long after its object.
    [GeneratedRegex(@"^sandbox new [^ ]+: (absent → SandboxNotready attempt 0|SandboxNotready attempt 0 → absent)$|^file [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} ")]
    private static partial Regex OwnPodLeft();
}
