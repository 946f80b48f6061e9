using NodeAgent.Linux.DBus;

namespace NodeAgent.Linux.Cgroups;

/// <summary>
/// The systemd driver: slices are made, changed and stopped by systemd, so that daemon-reload keeps them. Values systemd has no property
/// for (huge pages), and the exact CPU quota that its unit files round, are written to the slice's files after.
/// </summary>
/// <param name="tree">The tree as files.</param>
/// <param name="systemd">systemd's manager.</param>
public sealed class SystemdCgroupManager(CgroupTree tree, ISystemdUnits systemd) : ICgroupManager
{
    /// <inheritdoc/>
    public CgroupDriver Driver => CgroupDriver.Systemd;

    /// <inheritdoc/>
    public bool Exists(CgroupName name) => tree.Exists(Path(name));

    /// <inheritdoc/>
    public bool IsAnywhere(CgroupName name) => tree.IsAnywhere(Path(name));

    /// <inheritdoc/>
    public async Task EnsureAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken)
    {
        if (name.Parts.IsEmpty)
        {
            return; // the root slice is systemd's own
        }

        string unit = name.SliceUnit();
        IReadOnlyList<UnitProperty> changeable = SystemdSliceProperties.Limits(limits, tree.Version);
        try
        {
            bool started = await systemd.StartTransientAsync(unit, [.. SystemdSliceProperties.New(name), .. changeable], cancellationToken);
            if (!started && changeable.Count > 0)
            {
                await systemd.SetPropertiesAsync(unit, changeable, cancellationToken);
            }
        }
        catch (Exception e) when (e is DBusException or DBusConnectionException)
        {
            throw new CgroupException(unit, e.Message, e);
        }

        tree.Complete(Path(name));
        tree.Set(Path(name), limits);
    }

    /// <inheritdoc/>
    public async Task SetAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken)
    {
        IReadOnlyList<UnitProperty> properties = SystemdSliceProperties.Limits(limits, tree.Version);
        try
        {
            if (properties.Count > 0)
            {
                await systemd.SetPropertiesAsync(name.SliceUnit(), properties, cancellationToken);
            }
        }
        catch (Exception e) when (e is DBusException or DBusConnectionException)
        {
            throw new CgroupException(name.SliceUnit(), e.Message, e);
        }

        tree.Set(Path(name), limits);
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
    public async Task RemoveAsync(CgroupName name, CancellationToken cancellationToken)
    {
        string path = Path(name);
        tree.Kill(path);
        try
        {
            await systemd.StopAsync(name.SliceUnit(), cancellationToken);
        }
        catch (DBusException e) when (e.Name.StartsWith("job-", StringComparison.Ordinal) || e.Name == "org.freedesktop.systemd1.NoSuchUnit")
        {
            // What is left of it is removed as files below.
        }
        catch (Exception e) when (e is DBusException or DBusConnectionException)
        {
            throw new CgroupException(name.SliceUnit(), e.Message, e);
        }

        await tree.RemoveAsync(path, cancellationToken);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> ChildFolders(CgroupName name) => tree.ChildFolders(Path(name));

    /// <inheritdoc/>
    public void KillChild(CgroupName name, string folder) => tree.Kill($"{Path(name)}/{folder}");

    private static string Path(CgroupName name) => name.Path(CgroupDriver.Systemd);
}

/// <summary>Properties of slices. Pure. Sources: org.freedesktop.systemd1(5); libcontainer's systemd drivers for what upstream sets.</summary>
public static class SystemdSliceProperties
{
    /// <summary>What a new slice gets beside its limits.</summary>
    public static IReadOnlyList<UnitProperty> New(CgroupName name)
    {
        List<UnitProperty> properties = [new("Description", new DBusVariant("s", "Kubernetes pods " + name))];
        if (name.Parts.Length > 1)
        {
            properties.Add(new("Wants", new DBusVariant("as", new object[] { new CgroupName(name.Parts[..^1]).SliceUnit() })));
        }

        properties.AddRange(((string[])["MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting"]).Select(p => new UnitProperty(p, new DBusVariant("b", true))));
        properties.Add(new("DefaultDependencies", new DBusVariant("b", false)));
        return properties;
    }

    /// <summary>The limits as properties.</summary>
    public static IReadOnlyList<UnitProperty> Limits(CgroupLimits limits, CgroupVersion version)
    {
        List<UnitProperty> properties = [];
        void Number(string name, ulong value) => properties.Add(new(name, new DBusVariant("t", value)));
        if (limits.CpuShares is { } shares)
        {
            Number(version == CgroupVersion.V2 ? "CPUWeight" : "CPUShares",
                (ulong)(version == CgroupVersion.V2 ? CgroupUnits.WeightOf(shares) : Math.Clamp(shares, CgroupUnits.MinimumShares, CgroupUnits.MaximumShares)));
        }

        if (limits.CpuQuota is { } quota)
        {
            Number("CPUQuotaPeriodUSec", (ulong)limits.CpuPeriod);
            Number("CPUQuotaPerSecUSec", quota < 0 ? ulong.MaxValue : CgroupUnits.QuotaPerSecond(quota, limits.CpuPeriod));
        }

        if (limits.Memory is { } memory)
        {
            Number(version == CgroupVersion.V2 ? "MemoryMax" : "MemoryLimit", memory < 0 ? ulong.MaxValue : (ulong)memory);
        }

        if (limits.Pids is { } pids)
        {
            Number("TasksMax", pids < 0 ? ulong.MaxValue : (ulong)pids);
        }

        return properties;
    }
}
