using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>
/// Resources by pod, kept in a file so that they survive the agent. What is set is visible at once; writes that come together share
/// one. Source: pkg/kubelet/allocation/state/state_checkpoint.go.
/// </summary>
public sealed partial class PodResourceState
{
    /// <summary>What was allocated, below the root directory.</summary>
    public const string AllocatedFile = "allocated_pods_state";
    /// <summary>What was last carried out, below the root directory.</summary>
    public const string ActuatedFile = "actuated_pods_state";

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Func<byte[], Task> _write;
    private readonly ILogger _logger;
    private readonly string _name;
    private ImmutableDictionary<PodUid, PodResourceRecord> _records;
    private long _version;
    private long _saved;

    private PodResourceState(string name, ImmutableDictionary<PodUid, PodResourceRecord> records, Func<byte[], Task> write, ILogger logger) =>
        (_name, _records, _write, _logger) = (name, records, write, logger);

    /// <summary>Begins with what the file holds.</summary>
    /// <param name="name">For log lines.</param>
    /// <param name="content">The file; null where there is none. One that cannot be read counts as none, and the log says so.</param>
    /// <param name="write">Replaces the file as a whole.</param>
    /// <param name="logger">Log.</param>
    public static PodResourceState Load(string name, byte[]? content, Func<byte[], Task> write, ILogger logger)
    {
        ImmutableDictionary<PodUid, PodResourceRecord> records = ImmutableDictionary<PodUid, PodResourceRecord>.Empty;
        try
        {
            records = content is null ? records : ResourceStateFile.Parse(content);
        }
        catch (FormatException e)
        {
            LogUnreadable(logger, name, e.Message);
        }

        return new PodResourceState(name, records, write, logger);
    }

    /// <summary>A pod's record, or null.</summary>
    public PodResourceRecord? Get(PodUid uid)
    {
        lock (_lock)
        {
            return _records.GetValueOrDefault(uid);
        }
    }

    /// <summary>A container's resources, or null where nothing is on record.</summary>
    public ResourceRequirements? Get(PodUid uid, string container) => Get(uid)?.Containers.GetValueOrDefault(container);

    /// <summary>Sets a pod's record; ends when it is in the file.</summary>
    /// <exception cref="IOException">It could not be written; it counts until the agent ends all the same.</exception>
    public Task SetAsync(PodUid uid, PodResourceRecord record)
    {
        Change(records => records.SetItem(uid, record));
        return SaveAsync();
    }

    /// <summary>Sets a pod's record; the file follows soon.</summary>
    public void Set(PodUid uid, PodResourceRecord record)
    {
        if (Change(records => records.SetItem(uid, record)))
        {
            _ = SaveSoonAsync();
        }
    }

    /// <summary>Sets one container's resources; the file follows soon.</summary>
    public void Set(PodUid uid, string container, ResourceRequirements resources)
    {
        if (Change(records =>
        {
            PodResourceRecord known = records.GetValueOrDefault(uid, PodResourceRecord.Empty);
            return known.Containers.TryGetValue(container, out ResourceRequirements? before) && SameResources.Of(before, resources)
                ? records : records.SetItem(uid, known with { Containers = known.Containers.SetItem(container, resources) });
        }))
        {
            _ = SaveSoonAsync();
        }
    }

    /// <summary>Sets what a pod has as a whole; the file follows soon.</summary>
    public void SetPodLevel(PodUid uid, ResourceRequirements resources)
    {
        if (Change(records =>
        {
            PodResourceRecord known = records.GetValueOrDefault(uid, PodResourceRecord.Empty);
            return known.PodLevel is { } before && SameResources.Of(before, resources) ? records : records.SetItem(uid, known with { PodLevel = resources });
        }))
        {
            _ = SaveSoonAsync();
        }
    }

    /// <summary>Forgets a pod; the file follows with the next change.</summary>
    public void Remove(PodUid uid)
    {
        lock (_lock)
        {
            _records = _records.Remove(uid);
        }
    }

    /// <summary>Forgets all pods but those that are wanted; the file follows with the next change.</summary>
    public void Retain(Func<PodUid, bool> wanted)
    {
        lock (_lock)
        {
            _records = _records.RemoveRange(_records.Keys.Where(uid => !wanted(uid)).ToList());
        }
    }

    private bool Change(Func<ImmutableDictionary<PodUid, PodResourceRecord>, ImmutableDictionary<PodUid, PodResourceRecord>> change)
    {
        lock (_lock)
        {
            ImmutableDictionary<PodUid, PodResourceRecord> next = change(_records);
            bool changed = !ReferenceEquals(next, _records);
            _records = next;
            _version += changed ? 1 : 0;
            return changed;
        }
    }

    private async Task SaveAsync()
    {
        long wanted;
        lock (_lock)
        {
            wanted = _version;
        }

        await _writing.WaitAsync();
        try
        {
            ImmutableDictionary<PodUid, PodResourceRecord> records;
            long version;
            lock (_lock)
            {
                (records, version) = (_records, _version);
            }

            if (_saved < wanted)
            {
                await _write(ResourceStateFile.Format(records));
                _saved = version;
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task SaveSoonAsync()
    {
        try
        {
            await SaveAsync();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // The next change writes all of it again.
            LogNotWritten(_logger, _name, e.Message);
        }
    }

    [LoggerMessage(2900, LogLevel.Error, "{File} cannot be read and counts as empty, resizes under way are carried out again: {Error}")]
    private static partial void LogUnreadable(ILogger logger, string file, string error);

    [LoggerMessage(2901, LogLevel.Error, "{File} could not be written, the next change is written with it: {Error}")]
    private static partial void LogNotWritten(ILogger logger, string file, string error);
}
