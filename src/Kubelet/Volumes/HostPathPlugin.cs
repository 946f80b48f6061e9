using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>hostPath: checks, sometimes makes, never removes. Source: pkg/volume/hostpath.</summary>
internal sealed class HostPathPlugin(VolumeHost host) : IVolumePlugin
{
    /// <inheritdoc/>
    public bool Handles(Volume volume) => volume.HostPath is not null;

    // A host path on a dead network file system hangs for all pods alike: one thread, not one for each.
    /// <inheritdoc/>
    public string Key(Pod pod, Volume volume) => "hostPath:" + volume.HostPath!.Path;

    /// <inheritdoc/>
    public async Task<MountedVolume> SetUpAsync(VolumeRequest request, CancellationToken cancellationToken)
    {
        HostPathVolumeSource source = request.Volume.HostPath!;
        string path = source.Path;
        if (path.Split('/').Contains("..") || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new PayloadException($"invalid HostPath `{path}`: must not contain '..'");
        }

        if (!path.StartsWith('/'))
        {
            throw new PayloadException($"invalid HostPath `{path}`: must be an absolute path");
        }

        if (!string.IsNullOrEmpty(source.Type))
        {
            await host.Work.RunAsync(request.Key, () => Check(path, source.Type), cancellationToken);
        }

        return new MountedVolume(request.Volume.Name, path, ReadOnly: false, "hostPath");
    }

    private static void Check(string path, string type)
    {
        FileKind? kind = FileAt.Status(path, followLinks: true)?.Kind;
        if (kind is null && type == "DirectoryOrCreate")
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
            return;
        }

        if (kind is null && type == "FileOrCreate")
        {
            using FileStream made = new(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
            });
            return;
        }

        if (Mismatch(type, kind) is { } what)
        {
            throw new PayloadException(what.Length == 0 ? $"{type} is an invalid volume type" : $"hostPath type check failed: {path} is not {what}");
        }
    }

    /// <summary>Null where the file is what the type asks for; else what it is not; "" for a type that does not exist. Pure.</summary>
    public static string? Mismatch(string type, FileKind? kind) => type switch
    {
        "Directory" or "DirectoryOrCreate" => kind == FileKind.Directory ? null : "a directory",
        "File" or "FileOrCreate" => kind == FileKind.Regular ? null : "a file",
        "Socket" => kind == FileKind.Socket ? null : "a socket file",
        "CharDevice" => kind == FileKind.CharacterDevice ? null : "a character device",
        "BlockDevice" => kind == FileKind.BlockDevice ? null : "a block device",
        _ => "",
    };
}
