using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Allocation;

/// <summary>
/// Resources by pod, kept in a file so that they survive the agent. What is set is visible at once; writes that come together share
/// one, and in a burst what is new waits a moment for more of its kind. Source: pkg/kubelet/allocation/state/state_checkpoint.go.
/// </summary>
public sealed partial class PodResourceState
{
    /// <summary>What was allocated, below the root directory.</summary>
    public const string AllocatedFile = "allocated_pods_state";
    /// <summary>What was last carried out, below the root directory.</summary>
    public const string ActuatedFile = "actuated_pods_state";

    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Func<byte[], Task> _write;
    private readonly ILogger _logger;
    private readonly string _name;
    private readonly TimeProvider? _time;
    private readonly ConditionalWeakTable<PodResourceRecord, byte[]> _parts = [];
    private ImmutableDictionary<PodUid, PodResourceRecord> _records;
    private long _version;
    private long _saved;
    private long? _savedAt;

    private PodResourceState(string name, ImmutableDictionary<PodUid, PodResourceRecord> records, Func<byte[], Task> write, ILogger logger, TimeProvider? time) =>
        (_name, _records, _write, _logger, _time) = (name, records, write, logger, time);

    /// <summary>Begins with what the file holds.</summary>
    /// <param name="name">For log lines.</param>
    /// <param name="content">The file; null where there is none. One that cannot be read counts as none, and the log says so.</param>
    /// <param name="write">Replaces the file as a whole.</param>
    /// <param name="logger">Log.</param>
    /// <param name="time">Clock; null: nothing waits for more.</param>
    public static PodResourceState Load(string name, byte[]? content, Func<byte[], Task> write, ILogger logger, TimeProvider? time = null)
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

        return new PodResourceState(name, records, write, logger, time);
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
        return SaveAsync(gathers: false);
    }

    /// <summary>Sets the record of a pod that has none; what is on record stays.</summary>
    /// <returns>Ends when it is in the file, or when that failed and the log says so.</returns>
    public Task AddAsync(PodUid uid, PodResourceRecord record) =>
        Change(records => records.ContainsKey(uid) ? records : records.Add(uid, record)) ? SaveSoonAsync(gathers: true) : Task.CompletedTask;

    /// <summary>Sets one container's resources; the file follows soon.</summary>
    public void Set(PodUid uid, string container, ResourceRequirements resources)
    {
        bool isNew = Get(uid, container) is null;
        if (Change(records =>
        {
            PodResourceRecord known = records.GetValueOrDefault(uid, PodResourceRecord.Empty);
            return known.Containers.TryGetValue(container, out ResourceRequirements? before) && SameResources.Of(before, resources)
                ? records : records.SetItem(uid, known with { Containers = known.Containers.SetItem(container, resources) });
        }))
        {
            _ = SaveSoonAsync(gathers: isNew);
        }
    }

    /// <summary>Sets what a pod has as a whole; the file follows soon.</summary>
    public void SetPodLevel(PodUid uid, ResourceRequirements resources)
    {
        bool isNew = Get(uid)?.PodLevel is null;
        if (Change(records =>
        {
            PodResourceRecord known = records.GetValueOrDefault(uid, PodResourceRecord.Empty);
            return known.PodLevel is { } before && SameResources.Of(before, resources) ? records : records.SetItem(uid, known with { PodLevel = resources });
        }))
        {
            _ = SaveSoonAsync(gathers: isNew);
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

    // What replaces a record is written at once: a crash must not bring the old one back. What is new is only recorded once more.
    private async Task SaveAsync(bool gathers)
    {
        long wanted;
        TimeSpan wait;
        lock (_lock)
        {
            wanted = _version;
            wait = gathers && _savedAt is { } at ? Gathering - _time!.GetElapsedTime(at) : TimeSpan.Zero;
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, _time!);
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
                await _write(ResourceStateFile.Format(records, _parts));
                lock (_lock)
                {
                    (_saved, _savedAt) = (version, _time?.GetTimestamp());
                }
            }
        }
        finally
        {
            _writing.Release();
        }
    }

    private async Task SaveSoonAsync(bool gathers)
    {
        try
        {
            await SaveAsync(gathers);
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
