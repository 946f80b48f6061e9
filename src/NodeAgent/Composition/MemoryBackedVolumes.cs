using System.Globalization;
using NodeAgent.Linux.Mounts;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Composition;

/// <summary>Whether the host may write to its swap what pods have in memory-backed volumes. Source: pkg/kubelet/util/swap.</summary>
internal static class MemoryBackedVolumes
{
    /// <summary>Whether it may; a mount is tried only where the kernel's version does not tell.</summary>
    /// <param name="host">The host.</param>
    /// <param name="mounter">Tries the mount.</param>
    /// <param name="root">--root-dir.</param>
    public static bool MayBeSwapped(HostInformation host, IMounter mounter, string root) =>
        host.SwapIsOn() && !(HasNoswap(host.KernelVersion()) ?? CanMount(mounter, root));

    /// <summary>Whether a tmpfs of this kernel has the option noswap; null = not by its version, but distributions bring it to older ones. Pure.</summary>
    internal static bool? HasNoswap(string release)
    {
        string[] parts = release.Split('.', '-', '+');
        bool known = int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major)
            & int.TryParse(parts.ElementAtOrDefault(1), NumberStyles.None, CultureInfo.InvariantCulture, out int minor);
        return known && (major, minor).CompareTo((6, 4)) >= 0 ? true : null;
    }

    private static bool CanMount(IMounter mounter, string root)
    {
        // One name: what a killed agent left is used again.
        string folder = Path.Combine(root, "tmpfs-noswap-test");
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            mounter.Mount("tmpfs", folder, "tmpfs", "noswap");
            mounter.Unmount(folder, lazy: true);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
        finally
        {
            Directory.Delete(folder);
        }
    }
}
