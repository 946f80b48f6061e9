namespace NodeAgent.Linux.Cgroups;

/// <summary>The cgroupfs driver: folders made directly.</summary>
/// <param name="tree">The tree as files.</param>
public sealed class CgroupfsManager(CgroupTree tree) : ICgroupManager
{
    /// <inheritdoc/>
    public CgroupDriver Driver => CgroupDriver.Cgroupfs;

    /// <inheritdoc/>
    public bool Exists(CgroupName name) => tree.Exists(Path(name));

    /// <inheritdoc/>
    public bool IsAnywhere(CgroupName name) => tree.IsAnywhere(Path(name));

    /// <inheritdoc/>
    public Task EnsureAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken)
    {
        tree.Make(Path(name));
        tree.Set(Path(name), limits);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task SetAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken)
    {
        tree.Set(Path(name), limits);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public CgroupLimits Read(CgroupName name) => tree.Limits(Path(name));

    /// <inheritdoc/>
    public long? MemoryUsage(CgroupName name) => tree.MemoryUsage(Path(name));

    /// <inheritdoc/>
    public long? WorkingSet(CgroupName name, string? folder = null) => tree.WorkingSet(folder is null ? Path(name) : $"{Path(name)}/{folder}");

    /// <inheritdoc/>
    public long? Processes(CgroupName name) => tree.ProcessCount(Path(name));

    /// <inheritdoc/>
    public Task RemoveAsync(CgroupName name, CancellationToken cancellationToken) => tree.RemoveAsync(Path(name), cancellationToken);

    /// <inheritdoc/>
    public IReadOnlyList<string> ChildFolders(CgroupName name) => tree.ChildFolders(Path(name));

    /// <inheritdoc/>
    public void KillChild(CgroupName name, string folder) => tree.Kill($"{Path(name)}/{folder}");

    private static string Path(CgroupName name) => name.Path(CgroupDriver.Cgroupfs);
}
