using System.Collections.Concurrent;
using NodeAgent.Cri;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// The numbers of attempts. One that was given to a runtime call whose outcome is not known is not used again: the runtime may still
/// work on such a call and list nothing of it yet.
/// </summary>
internal sealed class AttemptNumbers
{
    private readonly ConcurrentDictionary<(PodUid Pod, string Name), uint> _next = new();

    // A runtime that went away works on nothing any more; one that was too slow does.
    public static bool OutcomeUnknown(CriException e) => e.Kind == CriErrorKind.DeadlineExceeded;

    /// <returns>The first number that is free as far as known here.</returns>
    public uint After(PodUid pod, string name) => _next.GetValueOrDefault((pod, name));

    /// <summary>The number of a container's next attempt: one more than its last; where the runtime has forgotten that, one more than the API or the log files remember.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="name">The container.</param>
    /// <param name="last">Its newest attempt; null where the runtime has none.</param>
    /// <param name="told">The status that was told last; null where none was.</param>
    /// <param name="logs">The folder of its attempts' logs, if it is there.</param>
    /// <exception cref="IOException">The logs cannot be listed.</exception>
    public int OfContainer(PodUid pod, string name, RuntimeContainerStatus? last, PodStatus? told, string logs)
    {
        int unknown = (int)After(pod, name);
        if (last is not null)
        {
            // What was created and never started is removed, and its number is used again: nothing was restarted.
            return Math.Max(last.RestartCount + (last.State == RuntimeContainerState.Created ? 0 : 1), unknown);
        }

        int fromLogs = -1;
        foreach (string file in Directory.Exists(logs) ? Directory.EnumerateFiles(logs, "*.log*") : [])
        {
            fromLogs = int.TryParse(Path.GetFileName(file).Split('.')[0], out int n) && n > fromLogs ? n : fromLogs;
        }

        return Math.Max(Math.Max(fromLogs + 1, unknown), Told(told, name));
    }

    // Where the runtime and the logs have forgotten the container, what was told of it counts on.
    private static int Told(PodStatus? told, string name) =>
        told?.ContainerStatuses.Concat(told.InitContainerStatuses).FirstOrDefault(s => s.Name == name)?.RestartCount ?? 0;

    public void Used(PodUid pod, string name, uint attempt) => _next.AddOrUpdate((pod, name), attempt + 1, (_, known) => Math.Max(known, attempt + 1));

    public void Forget(PodUid pod)
    {
        foreach ((PodUid, string) key in _next.Keys.Where(k => k.Pod == pod))
        {
            _next.TryRemove(key, out _);
        }
    }
}
