using System.Collections.Immutable;
using System.Text;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Mounts;
using NodeAgent.Testing;

namespace NodeAgent.Linux.Tests.Mounts;

public sealed class MountTableTests
{
    private const string Table = """
        22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
        36 35 98:0 /mnt1 /var/lib/kubelet/pods/u/volumes/a\040b rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue
        37 35 0:41 / /var/lib/kubelet/pods/u/volumes/c rw - tmpfs tmpfs rw,size=1024k
        38 35 0:42 / /var/lib/kubelet/pods/u2 rw - tmpfs tmpfs rw
        39 35 0:43 / /x\134134 rw - fuse.x a\012b rw
        this is no entry
        40 35 0:44 / /cut rw
        """;

    [Fact]
    public void Fields_and_escapes_are_read()
    {
        ImmutableArray<MountEntry> all = MountTable.Parse(Encoding.UTF8.GetBytes(Table), null);
        Assert.Equal([22, 36, 37, 38, 39], all.Select(m => m.Id));
        MountEntry entry = all[1];
        Assert.Equal(
            ("/var/lib/kubelet/pods/u/volumes/a b", "/mnt1", "98:0", "master:1 shared:2", "ext3", "/dev/root", "rw,errors=continue", true),
            (entry.MountPoint, entry.Root, entry.Device, entry.Propagation, entry.FileSystem, entry.Source, entry.SuperOptions, entry.IsShared));
        Assert.Equal(("", "tmpfs", false), (all[2].Propagation, all[2].FileSystem, all[2].IsShared));
        Assert.Equal((@"/x\134", "a\nb"), (all[4].MountPoint, all[4].Source));
    }

    [Fact]
    public void Only_entries_at_or_below_a_folder_are_given()
        => Assert.Equal([36, 37], MountTable.Parse(Encoding.UTF8.GetBytes(Table), "/var/lib/kubelet/pods/u").Select(m => m.Id));

    [RootFact]
    public void The_kernels_own_table_is_read_and_shows_a_mount_until_it_is_undone()
    {
        Assert.Contains(MountTable.Read(), m => m.MountPoint == "/");
        string point = Directory.CreateTempSubdirectory("na mount ").FullName;
        var mounter = new Mounter();
        Assert.False(mounter.IsMounted(point, "tmpfs"));
        mounter.Mount("tmpfs", point, "tmpfs", "size=64k");
        try
        {
            Assert.True(mounter.IsMounted(point, "tmpfs"));
            Assert.False(mounter.IsMounted(point, "hugetlbfs"));
            Assert.False(mounter.IsMounted(Directory.CreateDirectory(Path.Combine(point, "inside")).FullName, "tmpfs"));
            Assert.Equal("tmpfs", Assert.Single(mounter.List(point)).FileSystem);
            Assert.InRange(FileAt.FileSystem(point).TotalBytes, 1ul, 64ul * 1024);
        }
        finally
        {
            mounter.Unmount(point, lazy: false);
        }

        Assert.Empty(mounter.List(point));
        Assert.False(mounter.IsMounted(point, "tmpfs"));
        mounter.Unmount(point, lazy: false);
        TreeRemover.Remove(point);
        mounter.Unmount(point, lazy: false);
        Assert.False(mounter.IsMounted(point, "tmpfs"));
    }
}
