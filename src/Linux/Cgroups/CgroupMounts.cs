using System.Collections.Immutable;

namespace NodeAgent.Linux.Cgroups;

/// <summary>Which cgroup interface the host has.</summary>
public enum CgroupVersion
{
    /// <summary>One hierarchy for each controller.</summary>
    V1 = 1,
    /// <summary>The unified hierarchy.</summary>
    V2 = 2,
}

/// <summary>Where cgroups are mounted.</summary>
/// <param name="Version">V2 only where /sys/fs/cgroup itself is the unified hierarchy; a hybrid host counts as V1, as upstream.</param>
/// <param name="Hierarchies">
/// Mount point by controller; on V2 one entry with the empty key. On V1 systemd's own is "name=systemd", and the empty key is the unified
/// hierarchy of a hybrid host, which runtimes put containers into as well (opencontainers/cgroups fs/fs.go).
/// </param>
public sealed record CgroupMounts(CgroupVersion Version, ImmutableSortedDictionary<string, string> Hierarchies)
{
    /// <summary>The place everything is mounted below.</summary>
    public const string UsualRoot = "/sys/fs/cgroup";

    private const string HybridRoot = UsualRoot + "/unified";

    /// <summary>Reads this process' mount table.</summary>
    /// <exception cref="CgroupException">No cgroup file system is mounted at the usual place.</exception>
    public static CgroupMounts Detect() => Find() ?? throw new CgroupException(UsualRoot, "no cgroup file system is mounted here; mount cgroup2");

    /// <summary>The same where there need not be any: null then.</summary>
    public static CgroupMounts? Find() => Parse(File.ReadAllText("/proc/self/mountinfo"));

    /// <summary>Reads the text of a mountinfo file; null where no cgroup file system is mounted at the usual place.</summary>
    public static CgroupMounts? Parse(string mountInfo)
    {
        Dictionary<string, string> hierarchies = [];
        bool unified = false, hybrid = false;
        foreach (string line in mountInfo.Split('\n'))
        {
            int dash = line.IndexOf(" - ", StringComparison.Ordinal);
            if (dash < 0)
            {
                continue;
            }

            string[] left = line[..dash].Split(' '), right = line[(dash + 3)..].Split(' ');
            string point = left[4];
            if (right[0] == "cgroup2" && point == UsualRoot)
            {
                unified = true;
            }
            else if (right[0] == "cgroup2" && point == HybridRoot)
            {
                hybrid = true;
            }
            else if (right[0] == "cgroup" && point.StartsWith(UsualRoot + "/", StringComparison.Ordinal))
            {
                foreach (string option in right[2].Split(',').Where(o => o is not ("rw" or "ro") && (!o.Contains('=', StringComparison.Ordinal) || o == "name=systemd")))
                {
                    hierarchies.TryAdd(option, point);
                }
            }
        }

        if (unified)
        {
            return new CgroupMounts(CgroupVersion.V2, ImmutableSortedDictionary<string, string>.Empty.Add("", UsualRoot));
        }

        if (hybrid && hierarchies.Count > 0)
        {
            hierarchies[""] = HybridRoot;
        }

        return hierarchies.Count > 0
            ? new CgroupMounts(CgroupVersion.V1, hierarchies.Where(h => h.Key is not ("xattr" or "clone_children" or "noprefix")).ToImmutableSortedDictionary())
            : null;
    }
}
