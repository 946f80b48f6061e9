using System.Text.Json;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Sandboxes;

/// <summary>A pod cannot have a user namespace of its own; the message is what users read.</summary>
/// <param name="message">Upstream's text where it has one.</param>
public sealed class UserNamespaceException(string message) : Exception(message);

/// <summary>
/// Ids of pods with hostUsers: false. Each pod has one slot of the range until it has ended, kept in a file of its folder (upstream's
/// format), so that it gets the same ids again after a restart of the agent. Source: pkg/kubelet/userns/userns_manager.go.
/// </summary>
public sealed class UserNamespaces
{
    private const string FileName = "userns";
    private const int FileMode = 0x180;
    private static readonly TimeSpan FileLimit = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private readonly Dictionary<PodUid, uint> _firstIds = [];
    private readonly HashSet<uint> _taken = [];
    private readonly UserNamespaceRange _range;
    private readonly KubeletPaths _paths;
    private readonly BlockingWork _work;

    private UserNamespaces(UserNamespaceRange range, KubeletPaths paths, BlockingWork work) => (_range, _paths, _work) = (range, paths, work);

    /// <summary>Begins with what the folders of pods tell.</summary>
    /// <exception cref="FormatException">One of them does not fit: two pods could get the same ids. Names the file and the remedy.</exception>
    public static UserNamespaces Load(UserNamespaceRange range, KubeletPaths paths, BlockingWork work)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var loaded = new UserNamespaces(range, paths, work);
        foreach (string folder in Directory.Exists(paths.Pods) ? Directory.EnumerateDirectories(paths.Pods) : [])
        {
            var uid = new PodUid(Path.GetFileName(folder));
            try
            {
                _ = uid.IsPathSafe ? loaded.Known(uid) : null;
            }
            catch (UserNamespaceException e)
            {
                throw new FormatException($"{Path.Combine(folder, FileName)}: {e.Message}; end the pod and remove its folder, or set userNamespaces.idsPerPod and the ids of user kubelet as they were", e);
            }
        }

        return loaded;
    }

    /// <summary>The namespace of a pod: the node's own, or one with ids that no other pod has.</summary>
    /// <param name="pod">The pod; its folder exists.</param>
    /// <param name="handler">Its runtime handler, "" = default.</param>
    /// <param name="features">What the handler can do; null where that is not told.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="UserNamespaceException">It cannot be had.</exception>
    public async Task<UserNamespace> OfAsync(Pod pod, string handler, NodeRuntimeHandlerFeatures? features, CancellationToken cancellationToken)
    {
        if (!IsAsked(pod))
        {
            return OfNode;
        }

        if (features?.UserNamespaces != true)
        {
            throw new UserNamespaceException(handler.Length == 0
                ? "can't set `spec.hostUsers: false`, runtime does not support user namespaces"
                : $"can't set `spec.hostUsers: false`, RuntimeClass handler \"{handler}\" does not support user namespaces");
        }

        uint first = await _work.RunWithinAsync(pod.Uid + "/", FileLimit, () => Known(pod.Uid) ?? Create(pod.Uid), cancellationToken);
        var ids = new IDMapping { HostId = first, ContainerId = 0, Length = _range.PerPod };
        return new UserNamespace { Mode = NamespaceMode.Pod, Uids = { ids }, Gids = { ids.Clone() } };
    }

    /// <summary>True for a pod with a user namespace of its own.</summary>
    public static bool IsAsked(Pod pod) => pod?.Spec.HostUsers == false;

    /// <summary>No namespace of its own.</summary>
    public static UserNamespace OfNode => new() { Mode = NamespaceMode.Node };

    /// <summary>The pod has ended: its ids may go to another.</summary>
    public async Task ReleaseAsync(PodUid uid, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_firstIds.ContainsKey(uid))
            {
                return;
            }
        }

        // The file first: ids that another pod has must not be found again after a restart.
        await _work.RunWithinAsync(uid + "/", FileLimit, () => Delete(FileOf(uid)), cancellationToken);
        lock (_lock)
        {
            Forget(uid);
        }
    }

    private static void Delete(string file)
    {
        if (File.Exists(file))
        {
            File.Delete(file);
        }
    }

    private string FileOf(PodUid uid) => Path.Combine(_paths.Pod(uid), FileName);

    private uint? Known(PodUid uid)
    {
        string path = FileOf(uid);
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] content = File.ReadAllBytes(path);
        if (content.Length == 0)
        {
            // As upstream: a host that lost power can leave it so, and that must not keep the agent from starting.
            return null;
        }

        (uint first, uint length) = Parse(content);
        lock (_lock)
        {
            return length != _range.PerPod ? throw new UserNamespaceException($"user namespace: wrong user namespace length {length}")
                : first % _range.PerPod != 0 ? throw new UserNamespaceException($"user namespace: wrong user namespace offset specified {first}")
                : first < _range.First || first - _range.First >= _range.Length ? throw new UserNamespaceException($"user namespace: id {first} is out of range")
                : _firstIds.TryGetValue(uid, out uint before) && before != first
                    ? throw new UserNamespaceException($"user namespace: different user namespace range already used by pod \"{uid}\"")
                : before != first && !_taken.Add(first) ? throw new UserNamespaceException($"user namespace: range picked for pod \"{uid}\" already taken")
                : _firstIds[uid] = first;
        }
    }

    private uint Create(PodUid uid)
    {
        uint first;
        lock (_lock)
        {
            // A pod whose file is gone keeps nothing.
            Forget(uid);
            first = Enumerable.Range(0, _range.Slots).Select(slot => _range.First + (uint)slot * _range.PerPod).Where(f => !_taken.Contains(f)).Cast<uint?>().FirstOrDefault()
                ?? throw new UserNamespaceException("create user namespace: could not find an empty slot to allocate a user namespace");
            _taken.Add(first);
            _firstIds[uid] = first;
        }

        try
        {
            AtomicFile.Write(FileOf(uid), Format(first), FileMode);
            return first;
        }
        catch
        {
            lock (_lock)
            {
                Forget(uid);
            }

            throw;
        }
    }

    private void Forget(PodUid uid)
    {
        if (_firstIds.Remove(uid, out uint first))
        {
            _taken.Remove(first);
        }
    }

    private byte[] Format(uint first)
    {
        string mapping = $"[{{\"hostId\":{first},\"containerId\":0,\"length\":{_range.PerPod}}}]";
        return System.Text.Encoding.UTF8.GetBytes($"{{\"uidMappings\":{mapping},\"gidMappings\":{mapping}}}");
    }

    private static (uint First, uint Length) Parse(byte[] content)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            (uint HostId, uint ContainerId, uint Length) users = Only(document.RootElement, "uidMappings"), groups = Only(document.RootElement, "gidMappings");
            return users != groups ? throw new UserNamespaceException("user namespace: invalid user namespace configuration: GID and UID mapping should be identical")
                : users.ContainerId != 0 ? throw new UserNamespaceException("user namespace: invalid user namespace configuration: UID 0 must be mapped")
                : (users.HostId, users.Length);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new UserNamespaceException($"user namespace: invalid user namespace mappings file: {e.Message}");
        }
    }

    private static (uint HostId, uint ContainerId, uint Length) Only(JsonElement file, string name)
    {
        JsonElement list = file.GetProperty(name);
        return list.GetArrayLength() != 1 ? throw new UserNamespaceException("user namespace: invalid user namespace configuration: no more than one mapping allowed.")
            : (list[0].GetProperty("hostId").GetUInt32(), list[0].GetProperty("containerId").GetUInt32(), list[0].GetProperty("length").GetUInt32());
    }
}
