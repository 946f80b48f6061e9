using System.Text;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Tests.Volumes;

public sealed class AtomicWriterTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
    private readonly string _root = Directory.CreateTempSubdirectory("na-writer-").FullName;

    private static Dictionary<string, FileProjection> Files(params (string Path, string Text)[] files)
        => files.ToDictionary(f => f.Path, f => new FileProjection(Encoding.UTF8.GetBytes(f.Text), 0x1A4));

    private string Read(string path) => File.ReadAllText(Path.Combine(_root, path));

    private string[] Visible() => [.. Directory.GetFileSystemEntries(_root).Select(p => Path.GetFileName(p)).Where(n => !n.StartsWith("..", StringComparison.Ordinal)).Order()];

    [Fact]
    public void The_layout_is_upstreams()
    {
        Assert.True(AtomicWriter.Write(_root, Files(("key", "1"), ("a..b", "2"), ("dir/sub/file", "3")), Now, null));
        Assert.Equal(["a..b", "dir", "key"], Visible());
        Assert.Equal("..data/key", new FileInfo(Path.Combine(_root, "key")).LinkTarget);
        Assert.Equal("..data/dir", new FileInfo(Path.Combine(_root, "dir")).LinkTarget);
        Assert.StartsWith("..2026_03_04_05_06_07.", new FileInfo(Path.Combine(_root, "..data")).LinkTarget!, StringComparison.Ordinal);
        Assert.Equal(("1", "2", "3"), (Read("key"), Read("a..b"), Read("dir/sub/file")));
    }

    [Fact]
    public void The_same_payload_writes_nothing_and_mends_a_missing_link()
    {
        AtomicWriter.Write(_root, Files(("key", "1")), Now, null);
        string data = new FileInfo(Path.Combine(_root, "..data")).LinkTarget!;
        File.Delete(Path.Combine(_root, "key"));
        Assert.False(AtomicWriter.Write(_root, Files(("key", "1")), Now, () => Assert.Fail("nothing is new")));
        Assert.Equal(data, new FileInfo(Path.Combine(_root, "..data")).LinkTarget);
        Assert.Equal("1", Read("key"));
    }

    [Fact]
    public void A_change_swaps_all_at_once_and_removes_what_is_gone()
    {
        AtomicWriter.Write(_root, Files(("key", "1"), ("old", "x"), ("dir/gone", "y"), ("dir/stays", "z")), Now, null);
        string before = "";
        AtomicWriter.Write(_root, Files(("key", "2"), ("new", "n"), ("dir/stays", "z")), Now, () => before = Read("key"));
        Assert.Equal("1", before);
        Assert.Equal(["dir", "key", "new"], Visible());
        Assert.Equal(("2", "z"), (Read("key"), Read("dir/stays")));
        Assert.False(File.Exists(Path.Combine(_root, "dir/gone")));
        Assert.Single(Directory.GetDirectories(_root, "..2*"));
    }

    [Fact]
    public void What_an_end_by_force_left_behind_is_cleaned_up()
    {
        AtomicWriter.Write(_root, Files(("key", "1")), Now, null);
        File.CreateSymbolicLink(Path.Combine(_root, "..data_tmp"), "..2020_half");
        Directory.CreateDirectory(Path.Combine(_root, "..2020_01_01_00_00_00.1/half"));
        AtomicWriter.Write(_root, Files(("key", "2")), Now, null);
        Assert.Equal("2", Read("key"));
        Assert.Equal(["..data", "key"], Directory.GetFileSystemEntries(_root).Select(p => Path.GetFileName(p)).Where(n => !n.StartsWith("..2026", StringComparison.Ordinal)).Order());
    }

    [Fact]
    public void A_failure_before_publishing_leaves_the_old_content()
    {
        AtomicWriter.Write(_root, Files(("key", "1")), Now, null);
        Assert.Throws<IOException>(() => AtomicWriter.Write(_root, Files(("key", "2")), Now, () => throw new IOException("full")));
        Assert.Equal("1", Read("key"));
        Assert.Single(Directory.GetDirectories(_root, "..2*"));
    }

    [Fact]
    public void A_megabyte_and_modes_are_written()
    {
        string big = new('x', 1024 * 1024);
        AtomicWriter.Write(_root, new Dictionary<string, FileProjection> { ["big"] = new(Encoding.UTF8.GetBytes(big), 0x100) }, Now, null);
        Assert.Equal(big.Length, Read("big").Length);
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(Path.Combine(_root, "..data/big")));
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("/etc/passwd")]
    [InlineData("..data")]
    [InlineData("..x/y")]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a\0b")]
    public void Paths_that_leave_the_volume_or_touch_its_own_names_are_refused(string path)
    {
        Assert.Throws<PayloadException>(() => AtomicWriter.Write(_root, Files((path, "evil")), Now, null));
        Assert.Empty(Directory.GetFileSystemEntries(_root));
    }

    [Theory]
    [InlineData("a..b")]
    [InlineData("...")]
    [InlineData("a/..b")]
    [InlineData(".hidden")]
    public void Odd_but_harmless_paths_have_no_problem_unless_they_begin_with_two_dots(string path)
        => Assert.Equal(path.StartsWith("..", StringComparison.Ordinal), PayloadPaths.Problem(path) is not null);

    [Fact]
    public void Names_are_limited_to_255_bytes_and_paths_to_4096()
    {
        Assert.Null(PayloadPaths.Problem(new string('a', 255)));
        Assert.NotNull(PayloadPaths.Problem(new string('a', 256)));
        Assert.NotNull(PayloadPaths.Problem(string.Join('/', Enumerable.Repeat("abc", 1100))));
    }

    [Fact]
    public void A_file_that_is_also_a_folder_is_refused()
        => Assert.Throws<PayloadException>(() => AtomicWriter.Write(_root, Files(("a", "1"), ("a/b", "2")), Now, null));

    public void Dispose() => TreeRemover.Remove(_root);
}
