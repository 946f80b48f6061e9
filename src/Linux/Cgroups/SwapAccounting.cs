namespace NodeAgent.Linux.Cgroups;

/// <summary>Whether the kernel accounts for swap by cgroup. Source: kuberuntime_container_linux.go (checkSwapControllerAvailability).</summary>
public static class SwapAccounting
{
    private const string Mount = "/sys/fs/cgroup";

    /// <summary>True where it does.</summary>
    /// <param name="version">The host's.</param>
    public static bool Available(CgroupVersion version)
    {
        if (version == CgroupVersion.V1)
        {
            return File.Exists(Mount + "/memory/memory.memsw.limit_in_bytes");
        }

        // The root cgroup has no such file; the one this process is in does.
        string own = File.ReadAllLines("/proc/self/cgroup").FirstOrDefault(l => l.StartsWith("0::/", StringComparison.Ordinal)) ?? "0::/";
        return File.Exists($"{Mount}{own["0::".Length..].TrimEnd('/')}/memory.swap.max");
    }
}
