using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class EnvironmentFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("env-").FullName;
    private readonly BlockingWork _work = new();

    public void Dispose()
    {
        _work.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("A='1'\n", "1")]
    [InlineData("  A='1' # why\n", "1")]
    [InlineData("# A='0'\n\n \t\nB='2'\nA='1'", "1")]
    [InlineData("A='$B \"x\" \\n'\n", "$B \"x\" \\n")]
    [InlineData("A='one\n two\n'\nB='3'\n", "one\n two\n")]
    [InlineData("A='1'\r\n", "1")]
    [InlineData("A='1'\nA='2'\n", "1")]
    [InlineData("B='A=1'\n", null)]
    [InlineData("A=''\n", null)]
    [InlineData("A= '1'\n", null)]
    [InlineData("B= '1'\nA='2'\n", "2")]
    [InlineData("", null)]
    [InlineData("A='1'\nthis is never read", "1")]
    public void A_key_has_the_value_upstream_reads(string text, string? value) => Assert.Equal(value, EnvironmentFile.Value(text, "A"));

    [Theory]
    [InlineData("A\n", "line 1: '=' is missing")]
    [InlineData("\n='1'\n", "line 2: the variable has no name")]
    [InlineData("A ='1'\n", "line 1: white space before '=' is not allowed")]
    [InlineData("A=1\n", "line 1: the value must be enclosed in single quotes")]
    [InlineData("A=\n", "line 1: the value must be enclosed in single quotes")]
    [InlineData("A=\"1\"\n", "line 1: the value must be enclosed in single quotes")]
    [InlineData("B='x\ny\n", "line 1: the single quote is not closed")]
    [InlineData("B='x\ny' z\n", "line 2: there is something behind the closing quote")]
    public void A_line_of_another_form_is_refused_with_its_number(string text, string message) =>
        Assert.Equal(message, Assert.Throws<FormatException>(() => EnvironmentFile.Value(text, "A")).Message);

    private Task<string?> AskAsync(string path, bool? optional = null, string volume = "v") =>
        new EnvironmentFiles(_work).ValueAsync(
            new Dictionary<string, MountedVolume> { ["v"] = new("v", _folder, false, "emptyDir") },
            new FileKeySelector { VolumeName = volume, Path = path, Key = "A", Optional = optional }, CancellationToken.None);

    [Fact]
    public async Task A_variable_comes_from_a_file_of_the_volume()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "f"), "A='1'\n");
        Assert.Equal("1", await AskAsync("f"));
    }

    [Fact]
    public async Task A_missing_key_is_an_error_unless_it_is_optional()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "f"), "B='1'\n");
        Assert.Null(await AskAsync("f", optional: true));
        Assert.Contains("key \"A\" not found", (await Assert.ThrowsAsync<ContainerConfigException>(() => AskAsync("f"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_cannot_lead_out_of_the_volume()
    {
        File.CreateSymbolicLink(Path.Combine(_folder, "f"), "/etc/hostname");
        await Assert.ThrowsAsync<ContainerConfigException>(() => AskAsync("f"));
        await Assert.ThrowsAsync<ContainerConfigException>(() => AskAsync("../../etc/hostname"));
    }

    [Fact]
    public async Task A_named_pipe_holds_nobody_up()
    {
        using var made = System.Diagnostics.Process.Start("mkfifo", Path.Combine(_folder, "f"));
        await made.WaitForExitAsync();
        Assert.Contains("not a regular file", (await Assert.ThrowsAsync<ContainerConfigException>(() => AskAsync("f"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_volume_the_pod_does_not_have_is_named() =>
        Assert.Contains("\"w\"", (await Assert.ThrowsAsync<ContainerConfigException>(() => AskAsync("f", volume: "w"))).Message, StringComparison.Ordinal);
}
