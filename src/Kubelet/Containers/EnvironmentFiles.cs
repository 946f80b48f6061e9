using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Reads variables from files that containers wrote into a volume (fileKeyRef). Links are resolved as if the volume were the root.</summary>
/// <param name="work">Where calls that may block run.</param>
public sealed class EnvironmentFiles(BlockingWork work)
{
    private const int LargestFile = 1 << 20;

    /// <summary>The key's value, or null where it is optional and there is none.</summary>
    /// <exception cref="ContainerConfigException">No such volume, file or key, or the file cannot be read as one of variables.</exception>
    internal async Task<string?> ValueAsync(
        IReadOnlyDictionary<string, MountedVolume> volumes, FileKeySelector reference, CancellationToken cancellationToken)
    {
        string name = reference.VolumeName ?? "", path = reference.Path ?? "", key = reference.Key ?? "";
        if (!volumes.TryGetValue(name, out MountedVolume? volume))
        {
            throw new ContainerConfigException($"cannot find the volume \"{name}\" referenced by FileKeyRef");
        }

        try
        {
            string text = await work.RunAsync(volume.HostPath, () => Read(volume.HostPath, path), cancellationToken);
            return EnvironmentFile.Value(text, key) is { } value ? value
                : reference.Optional == true ? null
                : throw new ContainerConfigException($"environment variable key \"{key}\" not found in file \"{path}\" of volume \"{name}\"");
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            throw new ContainerConfigException($"couldn't parse env file: file \"{path}\" of volume \"{name}\": {e.Message}");
        }
    }

    // What is there was put there by a container: a pipe or a device must hold nobody up.
    private static string Read(string folder, string path)
    {
        using SafeFileHandle root = FileAt.OpenDirectory(folder);
        using SafeFileHandle file = FileAt.Open(
            root, path, OpenFlags.ReadOnly | OpenFlags.NonBlocking, ResolveFlags.InRoot | ResolveFlags.NoMagicLinks);
        FileStatus status = FileAt.Status(file);
        if (status.Kind != FileKind.Regular)
        {
            throw new IOException("it is not a regular file");
        }

        if (status.Size > LargestFile)
        {
            throw new IOException($"it is larger than {LargestFile} bytes");
        }

        using var stream = new FileStream(file, FileAccess.Read, bufferSize: 0);
        byte[] content = new byte[(int)status.Size];
        return Encoding.UTF8.GetString(content, 0, stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false));
    }
}
