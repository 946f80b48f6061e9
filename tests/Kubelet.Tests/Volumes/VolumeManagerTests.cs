using System.Collections.Immutable;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Volumes;

public sealed class VolumeManagerTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("na-volumes-").FullName;
    private readonly FakeObjectStore _objects = new();
    private readonly BlockingWork _work = new();
    private readonly Mounter _mounter = new();
    private readonly FakeClient _client = new();
    private readonly ServiceAccountTokens _tokens;
    private readonly KubeletPaths _paths;
    private readonly VolumeManager _manager;

    public VolumeManagerTests()
    {
        _paths = new KubeletPaths(_root, Path.Combine(_root, "logs"));
        _tokens = new ServiceAccountTokens(_client, TimeProvider.System, NullLogger<ServiceAccountTokens>.Instance);
        _manager = NewManager(_mounter);
        _client.Tokens = r => r with { Status = new TokenRequestStatus { Token = "tok", ExpirationTimestamp = DateTimeOffset.UtcNow.AddHours(1) } };
    }

    private VolumeManager NewManager(IMounter mounter) => new(
        new VolumeManagerParts(_paths, new FakeNodeInfo(), _objects, _tokens, _work, mounter), TimeProvider.System, NullLogger<VolumeManager>.Instance);

    private static Pod With(params Volume[] volumes)
    {
        Pod pod = TestPods.Pod();
        return pod with
        {
            Metadata = pod.Metadata with { Annotations = new Dictionary<string, string> { ["note"] = "1" } },
            Spec = pod.Spec with
            {
                ServiceAccountName = "default",
                Volumes = [.. volumes],
                Containers = [pod.Spec.Containers[0] with { VolumeMounts = [.. volumes.Select(v => new VolumeMount { Name = v.Name, MountPath = "/" + v.Name })] }],
            },
        };
    }

    private static Volume Map(string name = "cfg", bool? optional = null) => new() { Name = name, ConfigMap = new ConfigMapVolumeSource { Name = "map", Optional = optional } };

    [Fact]
    public async Task An_empty_dir_and_a_config_map_are_set_up_refreshed_and_leave_nothing()
    {
        _objects.ConfigMaps["map"] = new ConfigMap { Metadata = new ObjectMeta { Name = "map" }, Data = new Dictionary<string, string> { ["k"] = "1" } };
        Pod pod = With(Map(), new Volume { Name = "scratch", EmptyDir = new EmptyDirVolumeSource() });
        ImmutableDictionary<string, MountedVolume> mounted = await _manager.MountAsync(pod, default);
        Assert.Equal(Path.Combine(_root, "pods/uid-web/volumes/kubernetes.io~configmap/cfg"), mounted["cfg"].HostPath);
        Assert.Equal((true, false), (mounted["cfg"].ReadOnly, mounted["scratch"].ReadOnly));
        Assert.Equal(0x1FF, FileAt.Status(mounted["scratch"].HostPath, false)!.Value.Mode);
        Assert.Equal("1", await File.ReadAllTextAsync(Path.Combine(mounted["cfg"].HostPath, "k")));
        await File.WriteAllTextAsync(Path.Combine(mounted["scratch"].HostPath, "data"), "kept");
        Assert.True(_manager.HasMounts(pod.Uid));

        _objects.ConfigMaps["map"] = _objects.ConfigMaps["map"] with { Data = new Dictionary<string, string> { ["k"] = "2" } };
        await _manager.MountAsync(pod, default);
        Assert.Equal("2", await File.ReadAllTextAsync(Path.Combine(mounted["cfg"].HostPath, "k")));
        Assert.Equal("kept", await File.ReadAllTextAsync(Path.Combine(mounted["scratch"].HostPath, "data")));

        // Another agent's process: nothing in memory.
        VolumeManager next = NewManager(_mounter);
        Assert.True(next.HasMounts(pod.Uid));
        Assert.Equal([pod.Uid], next.PodsOnDisk());
        await next.UnmountAsync(pod.Uid, default);
        Assert.False(next.HasMounts(pod.Uid));
        Assert.Empty(Directory.GetFileSystemEntries(_paths.Pod(pod.Uid)));
        await next.UnmountAsync(pod.Uid, default);
    }

    [RootFact]
    public async Task Secrets_tokens_and_memory_volumes_are_on_tmpfs_and_are_unmounted()
    {
        _objects.Secrets["s"] = new Secret { Metadata = new ObjectMeta { Name = "s" }, Data = new Dictionary<string, byte[]> { ["pw"] = [1, 2, 3] } };
        Pod pod = With(
            new Volume { Name = "sec", Secret = new SecretVolumeSource { SecretName = "s", DefaultMode = 0x100 } },
            new Volume { Name = "mem", EmptyDir = new EmptyDirVolumeSource { Medium = "Memory", SizeLimit = Quantity.Parse("1Mi") } },
            new Volume { Name = "info", DownwardAPI = new DownwardAPIVolumeSource { Items = [new DownwardAPIVolumeFile { Path = "a/note", FieldRef = new ObjectFieldSelector { FieldPath = "metadata.annotations['note']" } }] } },
            new Volume
            {
                Name = "kube-api-access",
                Projected = new ProjectedVolumeSource
                {
                    Sources =
            [
                new VolumeProjection { ServiceAccountToken = new ServiceAccountTokenProjection { Path = "token", ExpirationSeconds = 3607 } },
                new VolumeProjection { Secret = new SecretProjection { Name = "none", Optional = true } },
            ]
                }
            });
        pod = pod with { Spec = pod.Spec with { SecurityContext = new PodSecurityContext { FsGroup = 3000, RunAsUser = 1001 } } };
        ImmutableDictionary<string, MountedVolume> mounted = await _manager.MountAsync(pod, default);
        try
        {
            Assert.Equal(4, _mounter.List(_paths.Pod(pod.Uid)).Count(m => m.FileSystem == "tmpfs"));
            Assert.Equal(1ul << 20, FileAt.FileSystem(mounted["mem"].HostPath).TotalBytes);
            Assert.Equal("1", await File.ReadAllTextAsync(Path.Combine(mounted["info"].HostPath, "a/note")));
            FileStatus token = FileAt.Status(Path.Combine(mounted["kube-api-access"].HostPath, "token"), followLinks: true)!.Value;
            Assert.Equal((0x1A0, 1001u, 3000u), (token.Mode, token.Uid, token.Gid));
            FileStatus secret = FileAt.Status(Path.Combine(mounted["sec"].HostPath, "pw"), followLinks: true)!.Value;
            Assert.Equal((0x120, 0u, 3000u), (secret.Mode, secret.Uid, secret.Gid));
            TokenRequest asked = Assert.Single(_client.TokenRequests);
            Assert.Equal(("Pod", "web", "uid-web", 3607L), (asked.Spec.BoundObjectRef!.Kind, asked.Spec.BoundObjectRef.Name, asked.Spec.BoundObjectRef.Uid, asked.Spec.ExpirationSeconds));
            await _manager.MountAsync(pod, default);
            Assert.Equal(4, _mounter.List(_paths.Pod(pod.Uid)).Count);
            Assert.Single(_client.TokenRequests);
        }
        finally
        {
            await NewManager(_mounter).UnmountAsync(pod.Uid, default);
        }

        Assert.Empty(_mounter.List(_root));
        Assert.Empty(Directory.GetFileSystemEntries(_paths.Pod(pod.Uid)));
    }

    [RootFact]
    public async Task A_volume_in_use_is_told_everything_else_goes_and_the_next_try_succeeds()
    {
        _objects.Secrets["s"] = new Secret { Metadata = new ObjectMeta { Name = "s" }, Data = new Dictionary<string, byte[]> { ["pw"] = [1] } };
        Pod pod = With(
            new Volume { Name = "mem", EmptyDir = new EmptyDirVolumeSource { Medium = "Memory", SizeLimit = Quantity.Parse("1Mi") } },
            new Volume { Name = "sec", Secret = new SecretVolumeSource { SecretName = "s" } });
        string busy = (await _manager.MountAsync(pod, default))["mem"].HostPath;
        using (File.Create(Path.Combine(busy, "open")))
        {
            IOException e = await Assert.ThrowsAnyAsync<IOException>(() => _manager.UnmountAsync(pod.Uid, default));
            Assert.Contains(busy, e.Message, StringComparison.Ordinal);
            Assert.Equal(busy, Assert.Single(_mounter.List(_paths.Pod(pod.Uid))).MountPoint);
            Assert.True(File.Exists(Path.Combine(busy, "open")));
            Assert.True(_manager.HasMounts(pod.Uid));
        }

        await _manager.UnmountAsync(pod.Uid, default);
        Assert.False(_manager.HasMounts(pod.Uid));
        Assert.Empty(_mounter.List(_root));
    }

    [RootFact]
    public async Task A_memory_volume_whose_set_up_was_cut_off_after_the_mount_gets_its_owner_from_the_next()
    {
        Pod pod = With(new Volume { Name = "mem", EmptyDir = new EmptyDirVolumeSource { Medium = "Memory", SizeLimit = Quantity.Parse("1Mi") } });
        pod = pod with { Spec = pod.Spec with { SecurityContext = new PodSecurityContext { FsGroup = 3000 } } };
        string path = Path.Combine(_paths.PodVolumes(pod.Uid), "kubernetes.io~empty-dir", "mem");
        Directory.CreateDirectory(path);
        _mounter.Mount("tmpfs", path, "tmpfs", "size=1m");
        try
        {
            await _manager.MountAsync(pod, default);
            Assert.Equal(3000u, FileAt.Status(path, followLinks: false)!.Value.Gid);
            Assert.Single(_mounter.List(_paths.Pod(pod.Uid)));
        }
        finally
        {
            await NewManager(_mounter).UnmountAsync(pod.Uid, default);
        }
    }

    [Fact]
    public async Task A_missing_object_is_upstreams_message_unless_it_is_optional()
    {
        VolumeSetupException e = await Assert.ThrowsAsync<VolumeSetupException>(() => _manager.MountAsync(With(Map()), default));
        Assert.Equal("MountVolume.SetUp failed for volume \"cfg\" : configmap \"map\" not found", e.Message);
        Assert.Single(await _manager.MountAsync(With(Map(optional: true)), default));
    }

    [Fact]
    public async Task A_hostile_key_fails_the_volume_and_writes_nothing_outside()
    {
        _objects.ConfigMaps["map"] = new ConfigMap { Metadata = new ObjectMeta { Name = "map" }, Data = new Dictionary<string, string> { ["../../../../evil"] = "1" } };
        VolumeSetupException e = await Assert.ThrowsAsync<VolumeSetupException>(() => _manager.MountAsync(With(Map()), default));
        Assert.Contains("../../../../evil", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_root, "evil", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_volume_no_container_mounts_is_left_alone_and_an_unsupported_one_is_refused_by_name()
    {
        Pod pod = With(new Volume { Name = "n", Nfs = new NFSVolumeSource { Server = "s", Path = "/" } });
        VolumeSetupException e = await Assert.ThrowsAsync<VolumeSetupException>(() => _manager.MountAsync(pod, default));
        Assert.Contains("spec.volumes[name=n].nfs is not supported", e.Message, StringComparison.Ordinal);
        Assert.Empty(await _manager.MountAsync(pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { VolumeMounts = [] }] } }, default));
    }

    [Theory]
    [InlineData("Directory", "missing", "hostPath type check failed: {0} is not a directory")]
    [InlineData("File", "dir", "hostPath type check failed: {0} is not a file")]
    [InlineData("Socket", "file", "hostPath type check failed: {0} is not a socket file")]
    [InlineData("CharDevice", "file", "hostPath type check failed: {0} is not a character device")]
    [InlineData("BlockDevice", "file", "hostPath type check failed: {0} is not a block device")]
    [InlineData("Nonsense", "file", "Nonsense is an invalid volume type")]
    [InlineData("DirectoryOrCreate", "new/dir", null)]
    [InlineData("FileOrCreate", "newfile", null)]
    [InlineData("FileOrCreate", "file", null)]
    [InlineData("Directory", "dir", null)]
    [InlineData("", "missing", null)]
    public async Task Host_paths_are_checked_and_never_removed(string type, string name, string? expected)
    {
        string host = Path.Combine(_root, "host");
        Directory.CreateDirectory(Path.Combine(host, "dir"));
        await File.WriteAllTextAsync(Path.Combine(host, "file"), "x");
        string path = Path.Combine(host, name);
        Pod pod = With(new Volume { Name = "h", HostPath = new HostPathVolumeSource { Path = path, Type = type } });
        if (expected is not null)
        {
            VolumeSetupException e = await Assert.ThrowsAsync<VolumeSetupException>(() => _manager.MountAsync(pod, default));
            Assert.EndsWith(expected.Replace("{0}", path, StringComparison.Ordinal), e.Message, StringComparison.Ordinal);
            return;
        }

        Assert.Equal(path, (await _manager.MountAsync(pod, default))["h"].HostPath);
        Assert.Equal(type.Length > 0, Path.Exists(path));
        await _manager.UnmountAsync(pod.Uid, default);
        Assert.Equal(type.Length > 0, Path.Exists(path));
        Assert.True(File.Exists(Path.Combine(host, "file")));
    }

    [Fact]
    public async Task A_frozen_mount_delays_only_its_own_volume_and_its_pod_is_told()
    {
        using var frozen = new FrozenMounter();
        VolumeManager manager = NewManager(frozen);
        Pod stuck = With(new Volume { Name = "mem", EmptyDir = new EmptyDirVolumeSource { Medium = "Memory" } });
        using var cancel = new CancellationTokenSource();
        Task first = manager.MountAsync(stuck, cancel.Token);
        await frozen.Entered.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Pod other = With(new Volume { Name = "scratch", EmptyDir = new EmptyDirVolumeSource() });
        other = other with { Metadata = other.Metadata with { Uid = "uid-other" } };
        Assert.Single(await manager.MountAsync(other, default).WaitAsync(TimeSpan.FromSeconds(20)));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.True(manager.HasMounts(stuck.Uid));
        Assert.Equal(1, frozen.Calls);
    }

    [RootFact]
    public async Task Something_foreign_mounted_in_a_volume_is_unmounted_and_its_content_kept()
    {
        string data = Path.Combine(_root, "data");
        Directory.CreateDirectory(data);
        await File.WriteAllTextAsync(Path.Combine(data, "precious"), "x");
        Pod pod = With(new Volume { Name = "scratch", EmptyDir = new EmptyDirVolumeSource() });
        string inside = Path.Combine((await _manager.MountAsync(pod, default))["scratch"].HostPath, "in");
        Directory.CreateDirectory(inside);
        _mounter.Bind(data, inside);
        await _manager.UnmountAsync(pod.Uid, default);
        Assert.Equal("x", await File.ReadAllTextAsync(Path.Combine(data, "precious")));
        Assert.Empty(_mounter.List(_root));
    }

    [RootFact]
    public async Task Sub_paths_are_bound_inside_the_volume_only_and_cleaned_up()
    {
        Pod pod = With(new Volume { Name = "scratch", EmptyDir = new EmptyDirVolumeSource() });
        MountedVolume volume = (await _manager.MountAsync(pod, default))["scratch"];
        string outside = Path.Combine(_root, "outside");
        Directory.CreateDirectory(outside);
        await File.WriteAllTextAsync(Path.Combine(volume.HostPath, "file"), "content");
        File.CreateSymbolicLink(Path.Combine(volume.HostPath, "escape"), outside);
        File.CreateSymbolicLink(Path.Combine(volume.HostPath, "up"), "../../../..");
        File.CreateSymbolicLink(Path.Combine(volume.HostPath, "within"), "file");
        var binder = new SubPathBinder(_paths, _mounter, _work);
        try
        {
            string made = await binder.PrepareAsync(new SubPathRequest(pod.Uid, "main", 0, volume, "a/b"), default);
            Assert.Equal(Path.Combine(_root, "pods/uid-web/volume-subpaths/scratch/main/0"), made);
            Assert.Equal(0x1FF, FileAt.Status(Path.Combine(volume.HostPath, "a/b"), false)!.Value.Mode);
            await File.WriteAllTextAsync(Path.Combine(made, "seen"), "x");
            Assert.True(File.Exists(Path.Combine(volume.HostPath, "a/b/seen")));
            Assert.Equal(made, await binder.PrepareAsync(new SubPathRequest(pod.Uid, "main", 0, volume, "a/b"), default));
            Assert.Equal("content", await File.ReadAllTextAsync(await binder.PrepareAsync(new SubPathRequest(pod.Uid, "main", 1, volume, "within"), default)));
            foreach (string bad in new[] { "escape", "escape/x", "up/x", "../x", "/etc" })
            {
                await Assert.ThrowsAsync<SubPathException>(() => binder.PrepareAsync(new SubPathRequest(pod.Uid, "main", 2, volume, bad), default));
            }

            Assert.Empty(Directory.GetFileSystemEntries(outside));
            Assert.Equal(2, _mounter.List(_paths.Pod(pod.Uid)).Count);
        }
        finally
        {
            await NewManager(_mounter).UnmountAsync(pod.Uid, default);
        }

        Assert.Empty(_mounter.List(_root));
        Assert.Empty(Directory.GetFileSystemEntries(_paths.Pod(pod.Uid)));
    }

    public void Dispose()
    {
        foreach (MountEntry left in _mounter.List(_root).Reverse())
        {
            _mounter.Unmount(left.MountPoint, lazy: true);
        }

        _tokens.Dispose();
        _work.Dispose();
        TreeRemover.Remove(_root);
    }

    private sealed class FrozenMounter : IMounter, IDisposable
    {
        private readonly ManualResetEventSlim _thaw = new();

        public TaskCompletionSource Entered { get; } = new();
        public int Calls { get; private set; }

        public void Mount(string source, string target, string fileSystem, string options)
        {
            Calls++;
            Entered.TrySetResult();
            _thaw.Wait();
        }

        public void Bind(string source, string target) => throw new NotSupportedException();

        public void Unmount(string target, bool lazy)
        {
        }

        public IReadOnlyList<MountEntry> List(string below) => [];

        public bool IsMounted(string path, string fileSystem) => false;

        public void Dispose() => _thaw.Set();
    }
}
