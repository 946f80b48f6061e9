using NodeAgent.Linux.Files;

namespace NodeAgent.Linux.Tests.Files;

public sealed class FolderUsageTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("usage-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private FolderUsage Usage => FolderUsage.Of(_root, default);

    [Fact]
    public void What_is_allocated_counts_holes_do_not()
    {
        long before = Usage.Bytes;
        File.WriteAllBytes(_root + "/full", new byte[1 << 20]);
        using (FileStream sparse = File.Create(_root + "/sparse"))
        {
            sparse.SetLength(1L << 30);
        }

        Assert.InRange(Usage.Bytes - before, 1 << 20, (1 << 20) + (64 << 10));
        Assert.Equal(3, Usage.Inodes);
    }

    [Fact]
    public void Folders_are_walked_through_links_are_not()
    {
        string elsewhere = Directory.CreateTempSubdirectory("elsewhere-").FullName;
        try
        {
            File.WriteAllBytes(elsewhere + "/big", new byte[1 << 20]);
            Directory.CreateDirectory(_root + "/a/b/c");
            File.WriteAllText(_root + "/a/b/c/file", "x");
            Directory.CreateSymbolicLink(_root + "/link", elsewhere);
            Assert.Equal(6, Usage.Inodes);
            Assert.True(Usage.Bytes < 1 << 20);
        }
        finally
        {
            Directory.Delete(elsewhere, recursive: true);
        }
    }

    [Fact]
    public void A_file_with_several_names_counts_once()
    {
        File.WriteAllBytes(_root + "/one", new byte[1 << 20]);
        long before = Usage.Bytes;
        File.CreateSymbolicLink(_root + "/soft", "one");
        for (int i = 0; i < 3; i++)
        {
            Assert.True(Link(_root + "/one", $"{_root}/name{i}"));
        }

        Assert.InRange(Usage.Bytes - before, 0, 16 << 10);
        Assert.Equal(3, Usage.Inodes);
    }

    [Fact]
    public void What_does_not_exist_takes_nothing() => Assert.Equal(default, FolderUsage.Of(_root + "/missing", default));

    [Fact]
    public void Deep_folders_are_walked_to_their_end()
    {
        string at = _root;
        for (int i = 0; i < 300; i++)
        {
            at += "/d";
            Directory.CreateDirectory(at);
        }

        Assert.Equal(301, Usage.Inodes);
    }

    private static bool Link(string from, string to)
    {
        using var ln = System.Diagnostics.Process.Start("ln", [from, to]);
        ln.WaitForExit();
        return ln.ExitCode == 0;
    }
}
