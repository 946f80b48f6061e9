using System.Globalization;

namespace NodeAgent.Linux.Cgroups;

/// <summary>Makes, changes and removes cgroups, whichever driver names them.</summary>
public interface ICgroupManager
{
    /// <summary>cgroupfs or systemd.</summary>
    CgroupDriver Driver { get; }

    /// <summary>True where the cgroup exists (on V1: in the controllers that count).</summary>
    bool Exists(CgroupName name);

    /// <summary>True where something of the cgroup is left in any hierarchy.</summary>
    bool IsAnywhere(CgroupName name);

    /// <summary>Makes the cgroup and its missing ancestors, then sets the limits. Idempotent.</summary>
    /// <exception cref="CgroupException">The kernel or systemd refused; names the cgroup.</exception>
    Task EnsureAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken);

    /// <summary>Sets limits of a cgroup that exists.</summary>
    /// <exception cref="CgroupException">The kernel or systemd refused; names the cgroup.</exception>
    Task SetAsync(CgroupName name, CgroupLimits limits, CancellationToken cancellationToken);

    /// <summary>CPU and memory limits as the kernel has them now; null where the cgroup or its controller is missing, negative = no limit.</summary>
    CgroupLimits Read(CgroupName name);

    /// <summary>Bytes of memory the cgroup uses now; null where that cannot be told.</summary>
    long? MemoryUsage(CgroupName name);

    /// <summary>Bytes the cgroup uses that the kernel cannot take back at once; null where that cannot be told.</summary>
    /// <param name="name">The cgroup.</param>
    /// <param name="folder">One of its <see cref="ChildFolders"/>; null: itself.</param>
    long? WorkingSet(CgroupName name, string? folder = null);

    /// <summary>Processes and threads in the cgroup and below; null where that cannot be told.</summary>
    long? Processes(CgroupName name);

    /// <summary>Kills what is inside and removes the cgroup with everything below it. Idempotent.</summary>
    /// <exception cref="CgroupException">Something is left; names the cgroup.</exception>
    Task RemoveAsync(CgroupName name, CancellationToken cancellationToken);

    /// <summary>Names of the folders directly below, as the driver spells them on disk.</summary>
    IReadOnlyList<string> ChildFolders(CgroupName name);

    /// <summary>SIGKILLs every process in a folder directly below, and below that.</summary>
    /// <param name="name">The cgroup.</param>
    /// <param name="folder">One of its <see cref="ChildFolders"/>.</param>
    void KillChild(CgroupName name, string folder);
}

/// <summary>A cgroup could not be made, changed or removed.</summary>
/// <param name="cgroup">Its path or unit.</param>
/// <param name="message">What was refused, and the remedy where one is known.</param>
/// <param name="inner">The cause.</param>
public sealed class CgroupException(string cgroup, string message, Exception? inner = null) : Exception($"cgroup {cgroup}: {message}", inner)
{
    /// <summary>Its path or unit.</summary>
    public string Cgroup { get; } = cgroup;
}

/// <summary>The tree as files: folders and control files in one or several hierarchies. Paths begin with a slash, below the mounts.</summary>
/// <param name="mounts">Where cgroups are mounted.</param>
/// <param name="files">File operations.</param>
/// <param name="time">For the waits while killed processes go.</param>
public sealed class CgroupTree(CgroupMounts mounts, ICgroupFiles files, TimeProvider time)
{
    private static readonly string[] Needed = ["cpu", "memory", "pids"];
    private static readonly TimeSpan[] RemovalWaits = [.. Enumerable.Range(0, 9).Select(i => TimeSpan.FromMilliseconds(10 << i))];

    /// <summary>V1 or V2.</summary>
    public CgroupVersion Version => mounts.Version;

    /// <summary>True where the folder exists in every hierarchy that counts.</summary>
    public bool Exists(string path) => Counting().All(mount => files.FolderExists(mount + path));

    /// <summary>True where the folder exists in one hierarchy at least.</summary>
    public bool IsAnywhere(string path) => mounts.Hierarchies.Values.Any(mount => files.FolderExists(mount + path));

    /// <summary>Makes the folders in all hierarchies, ancestors first; on V2 hands the controllers down.</summary>
    public void Make(string path)
    {
        GuardPath(path);
        foreach (string mount in mounts.Hierarchies.Values.Distinct())
        {
            string at = mount;
            foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                if (Version == CgroupVersion.V2)
                {
                    EnableControllers(at, path);
                }

                at += "/" + part;
                MakeFolder(at, path);
            }
        }
    }

    /// <summary>Hands all controllers down the ancestors of a path that another (systemd) made. V2 only; V1 makes folders in hierarchies systemd does not manage.</summary>
    public void Complete(string path)
    {
        GuardPath(path);
        if (Version == CgroupVersion.V1)
        {
            Make(path);
            return;
        }

        string at = mounts.Hierarchies[""];
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            EnableControllers(at, path);
            at += "/" + part;
        }
    }

    /// <summary>Writes limits. A controller the kernel does not have is passed over; one that refuses a value is an error.</summary>
    public void Set(string path, CgroupLimits limits)
    {
        GuardPath(path);
        foreach (CgroupWrite write in Version == CgroupVersion.V2 ? CgroupWrites.V2(limits) : CgroupWrites.V1(limits))
        {
            if (!mounts.Hierarchies.TryGetValue(Version == CgroupVersion.V2 ? "" : write.Controller, out string? mount))
            {
                continue;
            }

            string file = $"{mount}{path}/{write.File}";
            if (files.FileExists(file))
            {
                WriteFile(file, write.Value, path);
            }
        }
    }

    /// <summary>Reads a control file of a cgroup; "" where there is none.</summary>
    /// <param name="path">The cgroup.</param>
    /// <param name="controller">Its controller (chooses the hierarchy on V1).</param>
    /// <param name="file">The file's name.</param>
    public string Read(string path, string controller, string file)
    {
        GuardPath(path);
        return mounts.Hierarchies.TryGetValue(Version == CgroupVersion.V2 ? "" : controller, out string? mount)
            ? files.Read($"{mount}{(path == "/" ? "" : path)}/{file}") : "";
    }

    /// <summary>CPU and memory limits in force.</summary>
    public CgroupLimits Limits(string path) => Version == CgroupVersion.V2
        ? CgroupReadings.V2(Read(path, "cpu", "cpu.weight"), Read(path, "cpu", "cpu.max"), Read(path, "memory", "memory.max"))
        : CgroupReadings.V1(
            Read(path, "cpu", "cpu.shares"), Read(path, "cpu", "cpu.cfs_quota_us"), Read(path, "cpu", "cpu.cfs_period_us"), Read(path, "memory", "memory.limit_in_bytes"));

    /// <summary>Bytes of memory in use; null where the controller does not tell.</summary>
    public long? MemoryUsage(string path) =>
        CgroupReadings.Number(Read(path, "memory", Version == CgroupVersion.V2 ? "memory.current" : "memory.usage_in_bytes"));

    /// <summary>Bytes in use less inactive file pages, as cadvisor counts; null where the controller does not tell.</summary>
    public long? WorkingSet(string path) => MemoryUsage(path) is { } used
        ? Math.Max(0, used - CgroupReadings.Stat(Read(path, "memory", "memory.stat"), Version == CgroupVersion.V2 ? "inactive_file" : "total_inactive_file")) : null;

    /// <summary>Processes and threads; null where the controller does not tell.</summary>
    public long? ProcessCount(string path) => CgroupReadings.Number(Read(path, "pids", "pids.current"));

    /// <summary>Names of the folders directly below, over all hierarchies.</summary>
    public IReadOnlyList<string> ChildFolders(string path) =>
        [.. mounts.Hierarchies.Values.Distinct().SelectMany(m => files.Folders(m + path)).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>SIGKILLs every process in the cgroup and below.</summary>
    public void Kill(string path)
    {
        GuardRemovable(path);
        foreach (string mount in mounts.Hierarchies.Values.Distinct().Where(m => files.FolderExists(m + path)))
        {
            if (files.FileExists($"{mount}{path}/cgroup.kill"))
            {
                files.Write($"{mount}{path}/cgroup.kill", "1");
            }
            else
            {
                foreach (int pid in Processes(mount + path))
                {
                    files.Kill(pid);
                }
            }
        }
    }

    /// <summary>Kills what is inside and removes all folders, children first. Waits up to 5 s for the dying.</summary>
    public async Task RemoveAsync(string path, CancellationToken cancellationToken)
    {
        GuardRemovable(path);
        string? left = null;
        foreach (TimeSpan wait in RemovalWaits)
        {
            left = null;
            foreach (string mount in mounts.Hierarchies.Values.Distinct().Where(m => files.FolderExists(m + path)))
            {
                left = RemoveBelow(mount + path) ? left : mount + path;
            }

            if (left is null)
            {
                return;
            }

            Kill(path);
            await Task.Delay(wait, time, cancellationToken);
        }

        throw new CgroupException(path, $"processes {string.Join(", ", Processes(left!))} in \"{left}\" do not end after SIGKILL; they may hang in the kernel");
    }

    private bool RemoveBelow(string folder)
    {
        bool all = true;
        foreach (string child in files.Folders(folder))
        {
            all &= RemoveBelow(folder + "/" + child);
        }

        return all && files.RemoveFolder(folder);
    }

    private List<int> Processes(string folder)
    {
        List<int> pids = [.. files.Read(folder + "/cgroup.procs").Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
        foreach (string child in files.Folders(folder))
        {
            pids.AddRange(Processes(folder + "/" + child));
        }

        return pids;
    }

    private void MakeFolder(string folder, string path)
    {
        try
        {
            files.MakeFolder(folder);
            InheritCpuset(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CgroupException(path, $"cannot make \"{folder}\": {e.Message}", e);
        }
    }

    // A new v1 cpuset is empty, and no process may enter an empty one.
    private void InheritCpuset(string folder)
    {
        if (Version != CgroupVersion.V1 || !mounts.Hierarchies.TryGetValue("cpuset", out string? cpuset) || !folder.StartsWith(cpuset + "/", StringComparison.Ordinal))
        {
            return;
        }

        string parent = folder[..folder.LastIndexOf('/')];
        foreach (string file in (ReadOnlySpan<string>)["/cpuset.cpus", "/cpuset.mems"])
        {
            if (files.FileExists(folder + file) && files.Read(folder + file).Trim().Length == 0)
            {
                files.Write(folder + file, files.Read(parent + file).Trim());
            }
        }
    }

    private void EnableControllers(string folder, string path)
    {
        HashSet<string> available = [.. Words(folder + "/cgroup.controllers")];
        HashSet<string> enabled = [.. Words(folder + "/cgroup.subtree_control")];
        foreach (string controller in available.Where(c => !enabled.Contains(c)).Order(StringComparer.Ordinal))
        {
            try
            {
                files.Write(folder + "/cgroup.subtree_control", "+" + controller);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (Needed.Contains(controller))
                {
                    throw new CgroupException(path,
                        $"controller {controller} cannot be handed down from \"{folder}\" ({e.Message}); no process may live in a cgroup that has children with controllers", e);
                }
            }
        }
    }

    private string[] Words(string file) => files.Read(file).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private void WriteFile(string file, string value, string path)
    {
        try
        {
            files.Write(file, value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CgroupException(path, $"the kernel refused \"{value}\" in {file}: {e.Message}", e);
        }
    }

    private IEnumerable<string> Counting() => Version == CgroupVersion.V2
        ? mounts.Hierarchies.Values
        : mounts.Hierarchies.Where(h => Needed.Contains(h.Key)).Select(h => h.Value).Distinct();

    private static void GuardPath(string path)
    {
        if (!path.StartsWith('/') || path.Split('/').Any(p => p is "." or ".."))
        {
            throw new ArgumentException($"\"{path}\" is no cgroup path", nameof(path));
        }
    }

    private static void GuardRemovable(string path)
    {
        GuardPath(path);
        if (path.Trim('/').Length == 0)
        {
            throw new ArgumentException("the root cgroup is never killed or removed", nameof(path));
        }
    }
}
