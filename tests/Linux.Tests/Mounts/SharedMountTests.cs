using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Linux.Tests.Mounts;

public sealed partial class SharedMountTests
{
    private const int CLONE_NEWNS = 0x20000;
    private const nuint MS_REC = 0x4000, MS_PRIVATE = 0x40000, MS_SHARED = 0x100000;

    [RootFact]
    public void A_folder_on_a_private_mount_becomes_a_shared_mount_once_and_keeps_what_is_mounted_below_it() => InPrivateNamespace(folder =>
    {
        string root = Directory.CreateDirectory(Path.Combine(folder, "root")).FullName, below = Directory.CreateDirectory(Path.Combine(root, "below")).FullName;
        var mounter = new Mounter();
        mounter.Mount("tmpfs", below, "tmpfs", "size=64k");
        File.WriteAllText(Path.Combine(below, "file"), "kept");
        Assert.False(SharedMount.IsShared(root));

        Assert.True(SharedMount.Ensure(root));

        Assert.True(SharedMount.IsShared(root));
        Assert.True(SharedMount.IsShared(below));
        Assert.False(SharedMount.IsShared(folder));
        Assert.Equal("kept", File.ReadAllText(Path.Combine(below, "file")));
        int mounts = MountTable.Read(folder).Length;
        Assert.False(SharedMount.Ensure(root));
        Assert.Equal(mounts, MountTable.Read(folder).Length);
    });

    [RootFact]
    public void A_folder_on_a_shared_mount_is_left_alone_where_a_link_leads_to_it_too() => InPrivateNamespace(folder =>
    {
        string other = Directory.CreateDirectory(Path.Combine(folder, "other")).FullName, link = Path.Combine(folder, "link");
        new Mounter().Mount("tmpfs", other, "tmpfs", "size=64k");
        Propagate(other, MS_SHARED);
        Directory.CreateDirectory(Path.Combine(other, "root"));
        File.CreateSymbolicLink(link, other);

        Assert.False(SharedMount.IsShared(folder));
        Assert.False(SharedMount.Ensure(Path.Combine(other, "root")));
        Assert.False(SharedMount.Ensure(Path.Combine(link, "root")));
        Assert.False(SharedMount.Ensure(link));
    });

    [RootFact]
    public void A_folder_that_is_absent_is_named()
        => Assert.Contains("/nonexistent/root", Assert.Throws<LinuxException>(() => SharedMount.Ensure("/nonexistent/root")).Message, StringComparison.Ordinal);

    // A mount namespace of the thread's own goes with the thread, and all that was mounted in it.
    private static void InPrivateNamespace(Action<string> test)
    {
        string folder = Directory.CreateTempSubdirectory("na-shared-").FullName;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                Assert.True(unshare(CLONE_NEWNS) == 0, $"unshare: {Marshal.GetLastPInvokeErrorMessage()}");
                Propagate("/", MS_REC | MS_PRIVATE);
                new Mounter().Mount("tmpfs", folder, "tmpfs", "size=1m");
                test(folder);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        Directory.Delete(folder);
        failure?.Throw();
    }

    private static void Propagate(string path, nuint flags)
        => Assert.True(Libc.mount(null, path, null, flags, null) == 0, $"mount {path}: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);
}
