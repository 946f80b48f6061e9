using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Syscalls;
using Pod = NodeAgent.Kubernetes.Objects.Pod;

namespace NodeAgent.Kubelet.Tests.Sandboxes;

public sealed class UserNamespacesTests : IDisposable
{
    private static readonly NodeRuntimeHandlerFeatures Can = new() { UserNamespaces = true };
    private static readonly UserNamespaceRange Three = new(65536, 3 * 65536, 65536);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("userns");
    private readonly BlockingWork _work = new();

    private KubeletPaths Paths => new(_folder.FullName, "/var/log/pods");

    public void Dispose()
    {
        _work.Dispose();
        _folder.Delete(recursive: true);
    }

    private Pod Pod(string uid, bool? hostUsers = false)
    {
        var pod = new Pod { Metadata = new ObjectMeta { Name = uid, Uid = uid }, Spec = new PodSpec { HostUsers = hostUsers } };
        Directory.CreateDirectory(Paths.Pod(pod.Uid));
        return pod;
    }

    private UserNamespaces Load(UserNamespaceRange? range = null) => UserNamespaces.Load(range ?? Three, Paths, _work);

    private async Task<uint> FirstIdAsync(UserNamespaces namespaces, string uid) => (await namespaces.OfAsync(Pod(uid), "", Can, default)).Uids.Single().HostId;

    private string FileOf(string uid) => Path.Combine(Paths.Pod(new PodUid(uid)), "userns");

    [Fact]
    public async Task An_empty_file_is_none_as_upstream_reads_it_and_what_was_being_written_neither()
    {
        Pod("a");
        File.WriteAllText(FileOf("a"), "");
        File.WriteAllText(Path.Combine(Paths.Pod(new PodUid("a")), ".userns.0123"), "{\"uidMap");
        UserNamespaces namespaces = Load();
        Assert.Equal(65536u, await FirstIdAsync(namespaces, "a"));
        Assert.Equal(2 * 65536u, await FirstIdAsync(namespaces, "b"));
        Assert.Equal(65536u, await FirstIdAsync(Load(), "a"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(true)]
    public async Task A_pod_that_does_not_ask_has_the_nodes_users_whatever_the_runtime_can(bool? hostUsers)
    {
        UserNamespace users = await Load().OfAsync(Pod("a", hostUsers), "", null, default);
        Assert.Equal(new UserNamespace { Mode = NamespaceMode.Node }, users);
        Assert.False(File.Exists(FileOf("a")));
    }

    [Theory]
    [InlineData("", "can't set `spec.hostUsers: false`, runtime does not support user namespaces")]
    [InlineData("kata", "can't set `spec.hostUsers: false`, RuntimeClass handler \"kata\" does not support user namespaces")]
    public async Task A_runtime_that_cannot_is_told_in_upstreams_words(string handler, string message)
    {
        foreach (NodeRuntimeHandlerFeatures? features in (NodeRuntimeHandlerFeatures?[])[null, new() { UserNamespaces = false }, new()])
        {
            var e = await Assert.ThrowsAsync<UserNamespaceException>(() => Load().OfAsync(Pod("a"), handler, features, default));
            Assert.Equal(message, e.Message);
        }
    }

    [Fact]
    public async Task Each_pod_has_the_lowest_free_ids_and_keeps_them_in_upstreams_file()
    {
        UserNamespaces namespaces = Load();
        Assert.Equal(new uint[] { 65536, 131072, 65536 }, (uint[])[await FirstIdAsync(namespaces, "a"), await FirstIdAsync(namespaces, "b"), await FirstIdAsync(namespaces, "a")]);
        Assert.Equal(
            """{"uidMappings":[{"hostId":131072,"containerId":0,"length":65536}],"gidMappings":[{"hostId":131072,"containerId":0,"length":65536}]}""", await File.ReadAllTextAsync(FileOf("b")));
        UserNamespace users = await namespaces.OfAsync(Pod("b"), "", Can, default);
        Assert.Equal((NamespaceMode.Pod, new IDMapping { HostId = 131072, Length = 65536 }), (users.Mode, users.Gids.Single()));
        UserNamespaces again = Load();
        Assert.Equal(new uint[] { 196608, 131072 }, (uint[])[await FirstIdAsync(again, "c"), await FirstIdAsync(again, "b")]);
        await again.ReleaseAsync(new PodUid("a"), default);
        Assert.False(File.Exists(FileOf("a")));
        Assert.Equal(65536u, await FirstIdAsync(again, "d"));
        await again.ReleaseAsync(new PodUid("unknown"), default);
    }

    [Fact]
    public async Task Without_free_ids_a_pod_waits_until_another_has_ended()
    {
        UserNamespaces namespaces = Load();
        foreach (string uid in (string[])["a", "b", "c"])
        {
            await FirstIdAsync(namespaces, uid);
        }

        var e = await Assert.ThrowsAsync<UserNamespaceException>(() => FirstIdAsync(namespaces, "d"));
        Assert.Equal("create user namespace: could not find an empty slot to allocate a user namespace", e.Message);
        await namespaces.ReleaseAsync(new PodUid("b"), default);
        Assert.Equal(131072u, await FirstIdAsync(namespaces, "d"));
    }

    [Theory]
    [InlineData("{", "invalid user namespace mappings file")]
    [InlineData("""{"uidMappings":[],"gidMappings":[]}""", "no more than one mapping allowed")]
    [InlineData("""{"uidMappings":[{"hostId":65536,"containerId":0,"length":65536}],"gidMappings":[{"hostId":131072,"containerId":0,"length":65536}]}""", "should be identical")]
    [InlineData("""{"uidMappings":[{"hostId":65536,"containerId":1,"length":65536}],"gidMappings":[{"hostId":65536,"containerId":1,"length":65536}]}""", "UID 0 must be mapped")]
    [InlineData("""{"uidMappings":[{"hostId":65536,"containerId":0,"length":131072}],"gidMappings":[{"hostId":65536,"containerId":0,"length":131072}]}""", "wrong user namespace length 131072")]
    [InlineData("""{"uidMappings":[{"hostId":65537,"containerId":0,"length":65536}],"gidMappings":[{"hostId":65537,"containerId":0,"length":65536}]}""", "wrong user namespace offset specified 65537")]
    [InlineData("""{"uidMappings":[{"hostId":655360,"containerId":0,"length":65536}],"gidMappings":[{"hostId":655360,"containerId":0,"length":65536}]}""", "id 655360 is out of range")]
    public void A_file_that_does_not_fit_keeps_the_agent_from_starting_and_is_named(string content, string problem)
    {
        Pod("a");
        File.WriteAllText(FileOf("a"), content);
        var e = Assert.Throws<FormatException>(() => Load());
        Assert.Contains(FileOf("a"), e.Message, StringComparison.Ordinal);
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_pods_with_the_same_ids_keep_the_agent_from_starting()
    {
        await FirstIdAsync(Load(), "a");
        Pod("b");
        File.Copy(FileOf("a"), FileOf("b"));
        Assert.Contains("already taken", Assert.Throws<FormatException>(() => Load()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_two_pods_ever_share_ids()
    {
        UserNamespaces namespaces = Load();
        var held = new Dictionary<string, uint>();
        var random = new Random(7);
        for (int i = 0; i < 500; i++)
        {
            string uid = "p" + random.Next(5);
            int step = random.Next(10);
            if (step < 4)
            {
                await namespaces.ReleaseAsync(new PodUid(uid), default);
                held.Remove(uid);
            }
            else if (step == 9)
            {
                namespaces = Load();
            }
            else if (held.Count < 3 || held.ContainsKey(uid))
            {
                uint first = await FirstIdAsync(namespaces, uid);
                Assert.Equal(held.GetValueOrDefault(uid, first), first);
                held[uid] = first;
                Assert.Equal(held.Count, held.Values.Distinct().Count());
            }
        }
    }

    [Fact]
    public void The_range_is_that_of_getsubids_or_everything_above_the_nodes_own()
    {
        Assert.Equal(new UserNamespaceRange(65536, 2147483648, 65536), UserNamespaceRange.Parse("0: kubelet 65536 2147483648\n", 65536));
        Assert.Equal(new UserNamespaceRange(131072, 4294836224, 131072), UserNamespaceRange.Everything(131072));
        Assert.Equal(65535, UserNamespaceRange.Everything(65536).Verified(110).Slots);
        foreach (string output in (string[])["", "0: kubelet 65536", "0: kubelet 65536 65536\n1: kubelet 131072 65536\n", "0: kubelet x 65536"])
        {
            Assert.Throws<FormatException>(() => UserNamespaceRange.Parse(output, 65536));
        }
    }

    [Theory]
    [InlineData(65536u, 196608u, 70000u, "is not a multiple of 65536")]
    [InlineData(65537u, 196608u, 65536u, "the first id of user kubelet, 65537, is not a multiple of 65536")]
    [InlineData(0u, 196608u, 65536u, "must be greater or equal to 65536")]
    [InlineData(65536u, 196609u, 65536u, "196609 ids of user kubelet are not a multiple of 65536")]
    [InlineData(65536u, 131072u, 65536u, "131072 ids of user kubelet are not enough for 3 pods")]
    public void A_range_that_cannot_be_shared_out_is_refused(uint first, uint length, uint perPod, string problem) =>
        Assert.Contains(problem, Assert.Throws<FormatException>(() => new UserNamespaceRange(first, length, perPod).Verified(3)).Message, StringComparison.Ordinal);
}
