namespace NodeAgent.Harness.Host;

/// <summary>The cgroup that pods of the harness's node are below, in every hierarchy of the host.</summary>
public sealed class CgroupRoot(string name)
{
    private const string Mount = "/sys/fs/cgroup";

    /// <summary>Whether the host has the unified hierarchy only (cgroup v2).</summary>
    public static bool IsUnified => File.Exists(Path.Combine(Mount, "cgroup.controllers"));

    /// <summary>The path below each hierarchy's root.</summary>
    public string FullName => "/" + name;

    /// <summary>Its folders.</summary>
    public IEnumerable<string> Folders => IsUnified
        ? [Path.Combine(Mount, name)]
        : Directory.EnumerateDirectories(Mount).Select(hierarchy => Path.Combine(hierarchy, name));

    /// <summary>Makes it.</summary>
    public void Create()
    {
        if (IsUnified) File.WriteAllText(Path.Combine(Mount, "cgroup.subtree_control"), "+cpu +memory +pids +cpuset");
        foreach (string folder in Folders)
        {
            Directory.CreateDirectory(folder);
            if (Path.GetFileName(Path.GetDirectoryName(folder)) != "cpuset") continue;
            foreach (string file in new[] { "cpuset.cpus", "cpuset.mems" })
                File.WriteAllText(Path.Combine(folder, file), File.ReadAllText(Path.Combine(Mount, "cpuset", file)));
        }
    }

    /// <summary>Removes it with everything below that is empty of processes.</summary>
    public void Remove()
    {
        foreach (string folder in Folders.Where(Directory.Exists))
        {
            foreach (string child in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).OrderByDescending(path => path.Length).Append(folder))
            {
                try
                {
                    Directory.Delete(child);
                }
                catch (IOException)
                {
                    // Busy: reported by what looks for leftovers.
                }
            }
        }
    }

    /// <summary>The cgroups of pods: those whose name carries a pod's UID.</summary>
    public IReadOnlyList<string> PodFolders(string uid) => [.. Folders.Where(Directory.Exists)
        .SelectMany(folder => Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories))
        .Where(folder => folder.Contains(uid, StringComparison.Ordinal) || folder.Contains(uid.Replace('-', '_'), StringComparison.Ordinal))];
}
