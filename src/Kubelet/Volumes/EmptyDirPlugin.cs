using System.Globalization;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>emptyDir on disk, in memory or in huge pages. Source: pkg/volume/emptydir.</summary>
internal sealed class EmptyDirPlugin(VolumeHost host, INodeInfo node) : IVolumePlugin
{
    /// <summary>The plugin's name in paths.</summary>
    public const string Escaped = "kubernetes.io~empty-dir";

    private const int OpenToAll = 0x1FF;

    /// <inheritdoc/>
    public bool Handles(Volume volume) => volume.EmptyDir is not null;

    /// <inheritdoc/>
    public Task<MountedVolume> SetUpAsync(VolumeRequest request, CancellationToken cancellationToken)
        => host.Work.RunAsync(request.Key, () => SetUp(request), cancellationToken);

    private MountedVolume SetUp(VolumeRequest request)
    {
        PodUid uid = request.Pod.Uid;
        EmptyDirVolumeSource source = request.Volume.EmptyDir!;
        string medium = source.Medium ?? "";
        string path = host.Paths.PodVolume(uid, Escaped, Segments.Checked(request.Volume.Name, "spec.volumes[].name"));
        string marker = host.ReadyMarker(uid, request.Volume.Name);
        var mounted = new MountedVolume(request.Volume.Name, path, ReadOnly: false, "emptyDir");
        switch (medium)
        {
            case "":
                if (File.Exists(marker) && Directory.Exists(path))
                {
                    return mounted;
                }

                host.MakeVolumeFolder(uid, Escaped, request.Volume.Name, OpenToAll);
                break;
            case "Memory":
                if (!MountMemory(host, uid, Escaped, request.Volume.Name, VolumeFacts.MemorySize(request.Pod, source.SizeLimit, node.Allocatable)) && File.Exists(marker))
                {
                    return mounted;
                }

                break;
            default:
                string pageSize = medium.StartsWith("HugePages", StringComparison.Ordinal)
                    ? HugePages.PageSize(medium, request.Pod)
                    : throw new PayloadException($"unknown storage medium \"{medium}\"");
                if (!MountOnce(host, uid, Escaped, request.Volume.Name, "hugetlbfs", () => host.Mounter.Mount("nodev", path, "hugetlbfs", $"pagesize={pageSize}")) && File.Exists(marker))
                {
                    return mounted;
                }

                break;
        }

        // Mounted without the marker: an end by force came before the owner was set.
        if (request.FsGroup is { } group)
        {
            GroupOwnership.Apply(path, group, readOnly: false);
        }

        SetReady(marker);
        return mounted;
    }

    /// <summary>Mounts a tmpfs at the volume's folder where none is there; true where it was mounted now. Blocking.</summary>
    public static bool MountMemory(VolumeHost host, PodUid uid, string escapedPlugin, string volume, long? size)
    {
        string path = host.Paths.PodVolume(uid, escapedPlugin, volume);
        string options = size is { } bytes ? string.Create(CultureInfo.InvariantCulture, $"size={bytes}") : "size=50%";
        return MountOnce(host, uid, escapedPlugin, volume, "tmpfs", () =>
        {
            try
            {
                host.Mounter.Mount("tmpfs", path, "tmpfs", options + ",noswap");
            }
            catch (LinuxException refused) when (refused.Errno == Errno.EINVAL)
            {
                // Before Linux 6.4 there is no noswap.
                host.Mounter.Mount("tmpfs", path, "tmpfs", options);
            }
        });
    }

    /// <summary>Makes upstream's marker. Blocking.</summary>
    public static void SetReady(string marker)
    {
        VolumeHost.MakeFolders(Path.GetDirectoryName(marker)!);
        using FileStream file = new(marker, FileMode.OpenOrCreate);
    }

    private static bool MountOnce(VolumeHost host, PodUid uid, string escapedPlugin, string volume, string fileSystem, Action mount)
    {
        string path = host.Paths.PodVolume(uid, escapedPlugin, Segments.Checked(volume, "spec.volumes[].name"));
        if (host.Mounter.IsMounted(path, fileSystem))
        {
            return false;
        }

        host.MakeVolumeFolder(uid, escapedPlugin, volume, OpenToAll);
        mount();
        return true;
    }
}

/// <summary>Which page size a huge page volume has. Pure.</summary>
internal static class HugePages
{
    private const string Prefix = "hugepages-";

    /// <summary>The size as a quantity text, e.g. "2Mi".</summary>
    /// <exception cref="PayloadException">No container asks for such pages, or several sizes are asked for.</exception>
    public static string PageSize(string medium, Pod pod)
    {
        Quantity? wanted = null;
        if (medium != "HugePages")
        {
            wanted = medium.StartsWith("HugePages-", StringComparison.Ordinal) && Quantity.TryParse(medium["HugePages-".Length..], out Quantity size)
                ? size : throw new PayloadException($"unknown storage medium \"{medium}\"");
        }

        IEnumerable<string> names = pod.Spec.Containers.Concat(pod.Spec.InitContainers)
            .SelectMany(c => c.Resources?.Requests.Keys ?? []).Concat(pod.Spec.Resources?.Requests.Keys ?? []);
        Quantity? found = null;
        foreach (string name in names.Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            Quantity size = Quantity.Parse(name[Prefix.Length..]);
            if (wanted is null && found is { } other && other != size)
            {
                throw new PayloadException($"medium: {medium} can't be used if container requests multiple huge page sizes");
            }

            found = wanted is null || wanted == size ? size : found;
        }

        return found?.ToString() ?? throw new PayloadException($"medium {medium}: hugePages storage requested, but there is no resource request for huge pages");
    }
}
