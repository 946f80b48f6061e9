using NodeAgent.Linux.Files;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Linux.Tests.Files;

public sealed class TreeTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("na-tree-").FullName;
    private readonly Mounter _mounter = new();

    [Fact]
    public void Removal_does_not_follow_symbolic_links()
    {
        string outside = Path.Combine(_root, "outside"), tree = Path.Combine(_root, "tree");
        Directory.CreateDirectory(outside);
        File.WriteAllText(Path.Combine(outside, "precious"), "x");
        Directory.CreateDirectory(Path.Combine(tree, "a/b"));
        File.CreateSymbolicLink(Path.Combine(tree, "a/link"), outside);
        File.CreateSymbolicLink(Path.Combine(tree, "dangling"), "/nowhere/at/all");
        TreeRemover.Remove(tree);
        Assert.False(Directory.Exists(tree));
        Assert.True(File.Exists(Path.Combine(outside, "precious")));
        TreeRemover.Remove(tree);
    }

    [Fact]
    public void A_link_in_place_of_the_folder_is_removed_and_not_its_target()
    {
        string target = Path.Combine(_root, "target"), link = Path.Combine(_root, "link");
        Directory.CreateDirectory(Path.Combine(target, "kept"));
        File.CreateSymbolicLink(link, target);
        TreeRemover.Remove(link);
        Assert.True(Directory.Exists(Path.Combine(target, "kept")));
        Assert.False(File.Exists(link));
    }

    [Fact]
    public void Folders_nested_three_thousand_deep_and_ten_thousand_files_are_removed()
    {
        string tree = Path.Combine(_root, "deep");
        Directory.CreateDirectory(tree);
        // Deeper than a path can be: built from the inside out.
        for (int i = 0; i < 30; i++)
        {
            string part = Path.Combine(_root, "part");
            Directory.CreateDirectory(Path.Combine([part, .. Enumerable.Repeat("d", 100)]));
            string inner = Path.Combine([part, .. Enumerable.Repeat("d", 100)]);
            Directory.Move(tree, Path.Combine(inner, "tree"));
            Directory.Move(part, tree);
        }

        for (int i = 0; i < 10_000; i++)
        {
            File.WriteAllBytes(Path.Combine(tree, $"f{i}"), []);
        }

        TreeRemover.Remove(tree);
        Assert.False(Directory.Exists(tree));
    }

    [RootFact]
    public void Removal_stops_at_a_mount_point_and_leaves_what_is_mounted()
    {
        string tree = Path.Combine(_root, "tree"), data = Path.Combine(_root, "data"), point = Path.Combine(tree, "in/mounted");
        Directory.CreateDirectory(point);
        Directory.CreateDirectory(data);
        File.WriteAllText(Path.Combine(data, "precious"), "x");
        _mounter.Bind(data, point);
        try
        {
            LinuxException refused = Assert.Throws<LinuxException>(() => TreeRemover.Remove(tree));
            Assert.Contains("in/mounted", refused.Message, StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(data, "precious")));
        }
        finally
        {
            _mounter.Unmount(point, lazy: false);
        }

        TreeRemover.Remove(tree);
        Assert.False(Directory.Exists(tree));
    }

    [Fact]
    public void Opening_beneath_a_folder_refuses_what_leads_out()
    {
        File.CreateSymbolicLink(Path.Combine(_root, "up"), "..");
        File.CreateSymbolicLink(Path.Combine(_root, "absolute"), "/etc");
        Directory.CreateDirectory(Path.Combine(_root, "in"));
        File.CreateSymbolicLink(Path.Combine(_root, "fine"), "in");
        using var root = FileAt.OpenDirectory(_root);
        foreach (string path in new[] { "..", "up", "absolute", "absolute/passwd", "in/../../x" })
        {
            LinuxException refused = Assert.Throws<LinuxException>(() => FileAt.Open(root, path, OpenFlags.Path, ResolveFlags.Beneath));
            Assert.Equal(Errno.EXDEV, refused.Errno);
        }

        using var fine = FileAt.Open(root, "fine", OpenFlags.Path, ResolveFlags.Beneath);
        Assert.Equal(FileKind.Directory, FileAt.Status(fine).Kind);
        Assert.Equal(Errno.ELOOP, Assert.Throws<LinuxException>(() => FileAt.Open(root, "fine", OpenFlags.ReadOnly, ResolveFlags.NoSymlinks)).Errno);
    }

    [Fact]
    public void An_atomic_write_replaces_the_file_with_its_mode_and_leaves_nothing_else()
    {
        string path = Path.Combine(_root, "secret");
        AtomicFile.Write(path, "old"u8, 0x180);
        AtomicFile.Write(path, "new"u8, 0x180);
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(Directory.GetFileSystemEntries(_root));
        Directory.CreateDirectory(Path.Combine(_root, "folder/in"));
        Assert.Throws<LinuxException>(() => AtomicFile.Write(Path.Combine(_root, "folder"), "x"u8, 0x180));
        Assert.Equal(2, Directory.GetFileSystemEntries(_root).Length);
    }

    [Theory]
    [InlineData(FileKind.Regular, 0x180, false, 0x1B0)]    // 0600 → 0660
    [InlineData(FileKind.Regular, 0x100, true, 0x120)]     // 0400 → 0440
    [InlineData(FileKind.Directory, 0x1C0, false, 0x5F8)]  // 0700 → 02770
    [InlineData(FileKind.Directory, 0x1C0, true, 0x5E8)]   // 0700 → 02750
    [InlineData(FileKind.Directory, 0x1ED, false, 0x5FD)]  // 0755 → 02775
    public void The_mode_for_a_group_follows_upstream(FileKind kind, int mode, bool readOnly, int expected)
        => Assert.Equal(expected, GroupOwnership.ModeFor(kind, mode, readOnly));

    [RootFact]
    public void Ownership_reaches_every_file_but_not_what_links_point_to()
    {
        string outside = Path.Combine(_root, "outside"), tree = Path.Combine(_root, "tree");
        File.WriteAllText(outside, "x");
        Directory.CreateDirectory(Path.Combine(tree, "d"));
        File.WriteAllText(Path.Combine(tree, "d/f"), "x");
        File.SetUnixFileMode(Path.Combine(tree, "d/f"), UnixFileMode.UserRead);
        File.CreateSymbolicLink(Path.Combine(tree, "link"), outside);
        GroupOwnership.Apply(tree, 4242, readOnly: false);
        Assert.Equal(4242u, FileAt.Status(Path.Combine(tree, "d/f"), false)!.Value.Gid);
        Assert.Equal(0x1B0, FileAt.Status(Path.Combine(tree, "d/f"), false)!.Value.Mode);
        Assert.NotEqual(4242u, FileAt.Status(outside, false)!.Value.Gid);
        Assert.False(GroupOwnership.RootDiffers(FileAt.Status(tree, false)!.Value, 4242, readOnly: false));
        Assert.True(GroupOwnership.RootDiffers(FileAt.Status(tree, false)!.Value, 4243, readOnly: false));
    }

    public void Dispose() => TreeRemover.Remove(_root);
}
