using NodeAgent.Kubelet.Pods;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>
/// Tears down what the disk and the mount table say a pod has: subPath binds, then volumes, then empty folders. Nothing is deleted
/// below a mount point: unmount, look at the mount table again, then a removal that cannot leave its mount.
/// </summary>
internal sealed class VolumeTearDown(VolumeHost host)
{
    // Content of these is ours to delete. Others are unmounted and removed only where empty.
    private static readonly string[] Disposable =
        [EmptyDirPlugin.Escaped, "kubernetes.io~configmap", "kubernetes.io~secret", "kubernetes.io~downward-api", "kubernetes.io~projected"];

    /// <summary>How long one step may take. Source: volumemanager, podAttachAndMountTimeout.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(123);

    /// <summary>Tears down all; safe to call again. Volumes are done side by side, each on its own key.</summary>
    /// <exception cref="IOException">Something is still mounted or cannot be removed; all else is done.</exception>
    public async Task RunAsync(PodUid uid, CancellationToken cancellationToken)
    {
        string podKey = uid.Value + "/";
        List<Item> items = await host.Work.RunWithinAsync(podKey, Limit, () => Find(uid), cancellationToken);
        Task[] each = [.. items.Select(i => host.Work.RunWithinAsync($"{uid}/{i.Volume}", Limit, () => Remove(uid, i), cancellationToken))];
        try
        {
            await Task.WhenAll(each);
        }
        catch (IOException) when (each.Count(t => t.IsFaulted) > 1)
        {
            throw new IOException(string.Join("; ", each.Where(t => t.IsFaulted).Select(t => t.Exception!.InnerException!.Message)));
        }

        await host.Work.RunWithinAsync(podKey, Limit, () => RemoveEmptyParents(uid), cancellationToken);
    }

    /// <summary>True where volumes or mounts of the pod are found. Reads only the root directory's file system and the mount table.</summary>
    public bool IsAnythingLeft(PodUid uid) => Find(uid).Count > 0 || host.Mounter.List(host.Paths.Pod(uid)).Count > 0;

    /// <summary>Pods that have a folder.</summary>
    public IReadOnlyList<PodUid> PodsOnDisk() => Children(host.Paths.Pods).Select(n => new PodUid(n)).Where(u => u.IsPathSafe && IsAnythingLeft(u)).ToArray();

    private List<Item> Find(PodUid uid)
    {
        string volumes = host.Paths.PodVolumes(uid);
        List<Item> items = [];
        foreach (string plugin in Children(volumes))
        {
            items.AddRange(Children(Path.Combine(volumes, plugin)).Select(name => new Item(name, plugin)));
        }

        // Binds of volumes that have no folder of their own, hostPath for one.
        items.AddRange(Children(host.Paths.PodVolumeSubpaths(uid)).Except(items.Select(i => i.Volume)).ToArray().Select(name => new Item(name, null)));
        return items;
    }

    private void Remove(PodUid uid, Item item)
    {
        RemoveSubPaths(Path.Combine(host.Paths.PodVolumeSubpaths(uid), item.Volume));
        if (item.Plugin is null)
        {
            return;
        }

        string path = host.Paths.PodVolume(uid, item.Plugin, item.Volume);
        UnmountAll(path);
        if (Disposable.Contains(item.Plugin))
        {
            TreeRemover.Remove(path);
            RemoveMarkers(uid, item.Volume);
        }
        else
        {
            RemoveEmpty(path);
        }
    }

    private void RemoveSubPaths(string folder)
    {
        if (FileAt.Status(folder, followLinks: false) is null)
        {
            return;
        }

        UnmountAll(folder);
        foreach (string container in Children(folder))
        {
            string at = Path.Combine(folder, container);
            foreach (string bind in Children(at))
            {
                // An empty file or folder that we made to mount on; anything else is left and reported.
                RemoveLeaf(Path.Combine(at, bind));
            }

            RemoveEmpty(at);
        }

        RemoveEmpty(folder);
    }

    private void UnmountAll(string path)
    {
        IReadOnlyList<MountEntry> mounts = host.Mounter.List(path);
        if (mounts.Count == 0)
        {
            return;
        }

        // Latest first: what was mounted over or inside another goes before it.
        foreach (MountEntry mount in mounts.Reverse())
        {
            host.Mounter.Unmount(mount.MountPoint, lazy: false);
        }

        if (host.Mounter.List(path) is [var still, ..])
        {
            throw new IOException($"{still.MountPoint} is still mounted ({still.FileSystem}); nothing below it is deleted");
        }
    }

    private static void RemoveLeaf(string path)
    {
        FileStatus? status = FileAt.Status(path, followLinks: false);
        if (status is { Kind: FileKind.Directory })
        {
            RemoveEmpty(path);
        }
        else if (status is { Kind: FileKind.Regular, Size: 0 })
        {
            File.Delete(path);
        }
        else if (status is not null)
        {
            throw new IOException($"{path} is neither an empty file nor a folder; it is left alone");
        }
    }

    private void RemoveMarkers(PodUid uid, string volume)
    {
        string markers = Path.Combine(host.Paths.PodPlugins(uid), EmptyDirPlugin.Escaped);
        foreach (string name in (ReadOnlySpan<string>)[volume, "wrapped_" + volume])
        {
            TreeRemover.Remove(Path.Combine(markers, name));
        }
    }

    private void RemoveEmptyParents(PodUid uid)
    {
        foreach (string folder in (ReadOnlySpan<string>)[host.Paths.PodVolumes(uid), host.Paths.PodPlugins(uid)])
        {
            foreach (string child in Children(folder))
            {
                TryRemoveEmpty(Path.Combine(folder, child));
            }

            TryRemoveEmpty(folder);
        }

        TryRemoveEmpty(host.Paths.PodVolumeSubpaths(uid));
    }

    private static void RemoveEmpty(string path)
    {
        using var parent = OpenParent(path);
        if (parent is not null)
        {
            FileAt.Remove(parent, Path.GetFileName(path), directory: true);
        }
    }

    private static void TryRemoveEmpty(string path)
    {
        try
        {
            RemoveEmpty(path);
        }
        catch (LinuxException full) when (full.Errno is Errno.ENOTEMPTY or Errno.EEXIST or Errno.EBUSY or Errno.ENOTDIR)
        {
            // Still in use by another volume or plugin.
        }
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle? OpenParent(string path)
    {
        try
        {
            return FileAt.OpenDirectory(Path.GetDirectoryName(path)!);
        }
        catch (LinuxException missing) when (missing.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    private static IReadOnlyList<string> Children(string folder)
    {
        try
        {
            using var open = FileAt.OpenDirectory(folder);
            return FileAt.List(open);
        }
        catch (LinuxException missing) when (missing.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
        {
            return [];
        }
    }

    private readonly record struct Item(string Volume, string? Plugin);
}
