using System.Collections.Concurrent;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>Reads the real host. statfs runs on threads of its own, at most one stuck call for a folder; meanwhile the last figures count.</summary>
/// <param name="host">/proc, /sys, /etc.</param>
/// <param name="rootDirectory">--root-dir.</param>
/// <param name="time">For the statfs time limit.</param>
public sealed class HostObserver(HostInformation host, string rootDirectory, TimeProvider time) : IHostObserver
{
    private static readonly TimeSpan StatfsTimeLimit = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<string, Task<FileSystemUsage?>> _asked = new();
    private readonly ConcurrentDictionary<string, FileSystemUsage> _last = new();
    private MachineIdentity? _identity;

    /// <inheritdoc/>
    public async Task<MachineCapacity> CapacityAsync(CancellationToken cancellationToken)
    {
        MemoryInformation memory = host.Memory();
        FileSystemUsage? root = await UsageAsync(rootDirectory, cancellationToken);
        return new MachineCapacity(host.LogicalCpus(), memory.Total, memory.SwapTotal, root?.Capacity,
            host.HugePages().ToDictionary(p => HugePages.ResourceName(p.Key), p => p.Value));
    }

    /// <inheritdoc/>
    public MachineIdentity Identity() => _identity ??= new MachineIdentity(host.MachineId(), host.SystemUuid(), host.BootId(), host.KernelVersion(),
        host.OperatingSystemImage(), HostInformation.GoArchitecture());

    private async Task<FileSystemUsage?> UsageAsync(string folder, CancellationToken cancellationToken)
    {
        Task<FileSystemUsage?> asked = _asked.GetOrAdd(folder, Start);
        try
        {
            FileSystemUsage? usage = await asked.WaitAsync(StatfsTimeLimit, time, cancellationToken);
            _asked.TryRemove(new KeyValuePair<string, Task<FileSystemUsage?>>(folder, asked));
            if (usage is { } known)
            {
                _last[folder] = known;
            }
        }
        catch (TimeoutException)
        {
            // The call is still stuck in the kernel; no second one is started for this folder.
        }

        return _last.TryGetValue(folder, out FileSystemUsage last) ? last : null;
    }

    private static Task<FileSystemUsage?> Start(string folder)
    {
        TaskCompletionSource<FileSystemUsage?> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                done.SetResult(FileSystemUsage.Of(folder));
            }
            catch (IOException)
            {
                done.SetResult(null);
            }
        })
        { IsBackground = true, Name = "statfs" }.Start();
        return done.Task;
    }
}
