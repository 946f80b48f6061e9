using System.Diagnostics;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using Container = NodeAgent.Kubernetes.Objects.Container;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Containers;

public sealed class TerminationMessageTests
{
    private static async Task<string> SaidAsync(Action<string> put, string path = "/dev/termination-log")
    {
        await using var f = await RuntimeManagerFixture.StartAsync();
        Container c = RuntimeManagerFixture.Container("main") with { TerminationMessagePath = path, TerminationMessagePolicy = "File" };
        Pod pod = RuntimeManagerFixture.Pod("Never", c);
        Assert.True((await f.PassAsync(pod)).Succeeded);
        CreateContainerRequest made = f.Fake.Calls.Select(x => x.Request).OfType<CreateContainerRequest>().Single();
        Mount mount = made.Config.Mounts.Single(m => m.ContainerPath.EndsWith("termination-log", StringComparison.Ordinal));
        Assert.StartsWith("/", mount.ContainerPath, StringComparison.Ordinal);
        put(mount.HostPath);
        f.Fake.ExitContainer(f.Fake.Containers.Single().Status.Id, 1);
        RuntimePodStatus status = await f.Manager.GetPodStatusAsync(pod.Ref, default).WaitAsync(TimeSpan.FromSeconds(20));
        return status.Find("main")!.Message;
    }

    [Theory]
    [InlineData("/dev/termination-log")]
    [InlineData("termination-log")]
    public async Task The_last_4096_bytes_are_read(string path) =>
        Assert.Equal(new string('b', 4096), await SaidAsync(f => File.WriteAllText(f, new string('a', 100) + new string('b', 4096)), path));

    [Fact]
    public async Task A_named_pipe_in_its_place_holds_nobody_up() => Assert.EndsWith("it is not a regular file", await SaidAsync(f =>
    {
        File.Delete(f);
        using Process made = Process.Start("mkfifo", [f])!;
        made.WaitForExit();
    }), StringComparison.Ordinal);

    [Fact]
    public async Task A_link_in_its_place_is_not_followed()
    {
        string said = await SaidAsync(f =>
        {
            File.Delete(f);
            File.CreateSymbolicLink(f, "/etc/hostname");
        });
        Assert.StartsWith("Error on reading termination log ", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_gone_says_nothing() => Assert.Equal("", await SaidAsync(File.Delete));
}
