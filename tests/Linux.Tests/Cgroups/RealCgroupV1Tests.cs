using System.Diagnostics;
using System.Globalization;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Linux.Tests.Cgroups;

/// <summary>On this machine's own kernel, in a subtree of its own. Returns at once where the host is not a writable cgroup v1 one.</summary>
public sealed class RealCgroupV1Tests
{
    private static readonly CgroupMounts? Mounts = Usable();

    [Fact]
    public async Task A_cgroup_is_made_limited_and_removed_with_the_process_inside()
    {
        if (Mounts is null)
        {
            return;
        }

        CgroupName root = CgroupName.Root.Child("nodeagent-test-" + Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        CgroupTree tree = new(Mounts, new CgroupFiles(), TimeProvider.System);
        CgroupfsManager manager = new(tree);
        CgroupName pod = root.Child("kubepods").Child("pod1");
        using Process sleeper = Process.Start("sleep", "60");
        try
        {
            await manager.EnsureAsync(pod, new CgroupLimits { CpuShares = 512, CpuQuota = 20_000, Memory = 64 << 20, Pids = 50 }, default);
            string path = pod.Path(CgroupDriver.Cgroupfs);
            Assert.Equal("512", tree.Read(path, "cpu", "cpu.shares").Trim());
            Assert.Equal("20000", tree.Read(path, "cpu", "cpu.cfs_quota_us").Trim());
            Assert.Equal("67108864", tree.Read(path, "memory", "memory.limit_in_bytes").Trim());
            Assert.Equal("50", tree.Read(path, "pids", "pids.max").Trim());
            Assert.True(manager.Exists(pod));
            File.WriteAllText(Mounts.Hierarchies["pids"] + path + "/cgroup.procs", sleeper.Id.ToString(CultureInfo.InvariantCulture));
            await manager.RemoveAsync(pod, default);
            Assert.True(sleeper.WaitForExit(TimeSpan.FromSeconds(10)));
            Assert.Empty(manager.ChildFolders(root.Child("kubepods")));
        }
        finally
        {
            if (!sleeper.HasExited)
            {
                sleeper.Kill();
            }

            await manager.RemoveAsync(root, default);
        }

        Assert.All(Mounts.Hierarchies.Values, m => Assert.False(Directory.Exists(m + root.Path(CgroupDriver.Cgroupfs))));
    }

    private static CgroupMounts? Usable()
    {
        CgroupMounts mounts = CgroupMounts.Detect();
        return mounts.Version == CgroupVersion.V1 && Environment.IsPrivilegedProcess && mounts.Hierarchies.ContainsKey("pids") ? mounts : null;
    }
}
