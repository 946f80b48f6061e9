using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;
using NodeAgent.Linux.Syscalls;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>What container configurations take from the node.</summary>
/// <param name="Limits">For resources.</param>
/// <param name="Dns">For names.</param>
/// <param name="SeccompFolder">Below which localhost profiles lie.</param>
/// <param name="SeccompDefault">seccompDefault.</param>
public sealed record ContainerConfigOptions(ContainerLimitsOptions Limits, DnsOptions Dns, string SeccompFolder, bool SeccompDefault);

/// <summary>One container about to be made.</summary>
/// <param name="Request">The pod's pass.</param>
/// <param name="Container">Its spec (for an ephemeral container: as a container).</param>
/// <param name="Image">What the runtime says of its image.</param>
/// <param name="ImageRef">What the runtime calls the image.</param>
/// <param name="RestartCount">Which attempt.</param>
/// <param name="PodIPs">The pod's addresses.</param>
/// <param name="TargetContainerId">Whose process namespace an ephemeral container joins.</param>
internal sealed record ContainerRequest(
    PodSyncRequest Request, ApiContainer Container, Image? Image, string ImageRef, int RestartCount, ImmutableArray<string> PodIPs, string? TargetContainerId)
{
    /// <summary>What the runtime handler of the pod can do; null where the runtime does not tell.</summary>
    public NodeRuntimeHandlerFeatures? Handler { get; init; }

    /// <summary>The pod's volumes that are images.</summary>
    public ImageVolumes? Images { get; init; }

    /// <summary>What was waited before this attempt; null where nothing had ended before it.</summary>
    public TimeSpan? Waited { get; init; }

    /// <summary>The sandbox's user namespace.</summary>
    public UserNamespace Users { get; init; } = UserNamespaces.OfNode;
}

/// <summary>Makes a container's CRI configuration and the files it binds. Source: pkg/kubelet/kuberuntime/kuberuntime_container.go.</summary>
internal sealed class ContainerConfigBuilder(
    ContainerConfigOptions options, EnvironmentBuilder environment, SubPathBinder subPaths, INodeInfo node, KubeletPaths paths, BlockingWork work)
{
    private static readonly TimeSpan FileLimit = TimeSpan.FromMinutes(2);

    /// <exception cref="ContainerConfigException">The spec cannot be carried out; the message is what users read.</exception>
    public async Task<ContainerConfig> BuildAsync(ContainerRequest request, CancellationToken cancellationToken)
    {
        Pod pod = request.Request.Pod;
        ApiContainer c = request.Container;
        var facts = new EnvironmentFacts(request.PodIPs, request.Request.HostIPs, node.Allocatable, request.Request.Volumes);
        IReadOnlyDictionary<string, string> env = await environment.BuildAsync(pod, c, facts, cancellationToken);
        var config = new ContainerConfig
        {
            Metadata = new ContainerMetadata { Name = c.Name, Attempt = (uint)request.RestartCount },
            Image = new ImageSpec { Image = request.ImageRef, UserSpecifiedImage = c.Image ?? "" },
            WorkingDir = c.WorkingDir ?? "",
            LogPath = Path.Combine(c.Name!, $"{request.RestartCount}.log"),
            Stdin = c.Stdin == true,
            StdinOnce = c.StdinOnce == true,
            Tty = c.Tty == true,
            StopSignal = StopSignals.Parse(c.Lifecycle?.StopSignal),
            Linux = new LinuxContainerConfig
            {
                Resources = ContainerResourcesBuilder.Build(pod, c, options.Limits),
                SecurityContext = SecurityContextBuilder.Build(pod, c, request.Image, options.SeccompFolder, options.SeccompDefault,
                    PodSandboxConfigBuilder.Namespaces(pod, request.Users, request.TargetContainerId)),
            },
        };
        config.Command.AddRange(c.Command.Select(w => VariableExpansion.Expand(w, env.GetValueOrDefault)));
        config.Args.AddRange(c.Args.Select(w => VariableExpansion.Expand(w, env.GetValueOrDefault)));
        config.Envs.AddRange(env.Select(e => new KeyValue { Key = e.Key, Value = Google.Protobuf.ByteString.CopyFromUtf8(e.Value) }));
        config.Labels.Add(new Dictionary<string, string>
        {
            [CriNames.PodName] = pod.Metadata.Name ?? "",
            [CriNames.PodNamespace] = pod.Metadata.Namespace ?? "",
            [CriNames.PodUid] = pod.Metadata.Uid ?? "",
            [CriNames.ContainerName] = c.Name ?? "",
        });
        config.Annotations.Add(Annotations(pod, c, request));
        config.Mounts.AddRange(await MountsAsync(request, env, cancellationToken));
        foreach (Mount mount in config.Mounts)
        {
            // What lies on the node belongs to the node's ids; the container sees it as its own.
            mount.UidMappings.AddRange(request.Users.Uids);
            mount.GidMappings.AddRange(request.Users.Gids);
        }

        return config;
    }

    private static Dictionary<string, string> Annotations(Pod pod, ApiContainer c, ContainerRequest request)
    {
        var annotations = new Dictionary<string, string>
        {
            [CriNames.Hash] = ContainerHash.Compute(c.Name ?? "", c.Image ?? "").ToString("x", CultureInfo.InvariantCulture),
            [CriNames.RestartCount] = $"{request.RestartCount}",
            [CriNames.TerminationMessagePath] = c.TerminationMessagePath ?? "",
            [CriNames.TerminationMessagePolicy] = c.TerminationMessagePolicy ?? "File",
        };
        if (request.Waited is { } waited)
        {
            annotations[CriNames.RestartDelay] = waited.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        }

        if (pod.Metadata.DeletionGracePeriodSeconds is { } deletion)
        {
            annotations[CriNames.DeletionGracePeriod] = $"{deletion}";
        }

        if (pod.Spec.TerminationGracePeriodSeconds is { } grace)
        {
            annotations[CriNames.TerminationGracePeriod] = $"{grace}";
        }

        if (c.Lifecycle?.PreStop is { } preStop)
        {
            annotations[CriNames.PreStopHandler] = KubernetesJson.Serialize(preStop);
        }

        if (c.Ports.Count > 0)
        {
            annotations[CriNames.Ports] = $"[{string.Join(',', c.Ports.Select(p => KubernetesJson.Serialize(p)))}]";
        }

        return annotations;
    }

    private async Task<List<Mount>> MountsAsync(ContainerRequest request, IReadOnlyDictionary<string, string> env, CancellationToken cancellationToken)
    {
        Pod pod = request.Request.Pod;
        ApiContainer c = request.Container;
        var mounts = new List<Mount>();
        for (int i = 0; i < c.VolumeMounts.Count; i++)
        {
            mounts.Add(await VolumeAsync(request, c.VolumeMounts[i], i, env, cancellationToken));
        }

        string? hosts = null;
        if (!c.VolumeMounts.Any(m => m.MountPath == "/etc/hosts") && (pod.IsHostNetwork || request.PodIPs.Length > 0))
        {
            (string hostname, string domain) = PodHostname.Of(pod, options.Dns.ClusterDomain);
            string? own = pod.IsHostNetwork ? await File.ReadAllTextAsync("/etc/hosts", cancellationToken) : null;
            hosts = HostsFile.Build(pod, request.PodIPs, hostname, domain, own);
        }

        if (hosts is not null || c.TerminationMessagePath is { Length: > 0 })
        {
            mounts.AddRange(await work.RunWithinAsync(pod.Uid + "/", FileLimit, () => OwnFiles(pod.Uid, c, hosts), cancellationToken));
        }

        return mounts;
    }

    private List<Mount> OwnFiles(PodUid pod, ApiContainer c, string? hosts)
    {
        List<Mount> mounts = [];
        if (hosts is not null)
        {
            HostsFile.Write(paths.PodHostsFile(pod), hosts);
            mounts.Add(new Mount { ContainerPath = "/etc/hosts", HostPath = paths.PodHostsFile(pod) });
        }

        if (c.TerminationMessagePath is { Length: > 0 } message)
        {
            mounts.Add(new Mount { ContainerPath = message[0] == '/' ? message : "/" + message, HostPath = TerminationLog(pod, c.Name!) });
        }

        return mounts;
    }

    private async Task<Mount> VolumeAsync(ContainerRequest request, VolumeMount m, int index, IReadOnlyDictionary<string, string> env, CancellationToken cancellationToken)
    {
        if (!request.Request.Volumes.TryGetValue(m.Name ?? "", out MountedVolume? volume))
        {
            throw new ContainerConfigException($"cannot find volume \"{m.Name}\" to mount into container \"{request.Container.Name}\"");
        }

        string subPath = m.SubPath ?? "";
        if (m.SubPathExpr is { Length: > 0 } expression)
        {
            subPath = VariableExpansion.Expand(expression, name => env.GetValueOrDefault(name) is { Length: > 0 } value ? value
                : throw new ContainerConfigException($"failed to expand subPathExpr of volume mount \"{m.Name}\": missing value for \"{name}\""));
        }

        string host = volume.HostPath;
        ImageSpec? image = request.Images?.Find(m.Name ?? "");
        if (image is not null)
        {
            VerifyImageSubPath(subPath);
        }
        else if (subPath.Length > 0)
        {
            try
            {
                host = await subPaths.PrepareAsync(new SubPathRequest(request.Request.Pod.Uid, request.Container.Name!, index, volume, subPath), cancellationToken);
            }
            catch (SubPathException e)
            {
                throw new ContainerConfigException($"failed to prepare subPath for volumeMount \"{m.Name}\" of container \"{request.Container.Name}\": {e.Message}");
            }
        }

        return new Mount
        {
            Image = image,
            ImageSubPath = image is null ? "" : subPath,
            ContainerPath = m.MountPath?.StartsWith('/') == true ? m.MountPath : "/" + m.MountPath,
            HostPath = host,
            Readonly = m.ReadOnly == true || volume.ReadOnly,
            RecursiveReadOnly = RecursiveReadOnly.Resolve(m, request.Handler?.RecursiveReadOnlyMounts == true),
            Propagation = m.MountPropagation switch
            {
                "HostToContainer" => MountPropagation.PropagationHostToContainer,
                "Bidirectional" => MountPropagation.PropagationBidirectional,
                _ => MountPropagation.PropagationPrivate,
            },
        };
    }

    // The runtime resolves it within the image; what could lead out of it is not even asked for.
    private static void VerifyImageSubPath(string subPath)
    {
        if (subPath.StartsWith('/'))
        {
            throw new ContainerConfigException($"error SubPath `{subPath}` must not be an absolute path");
        }

        if (subPath.Split('/').Contains(".."))
        {
            throw new ContainerConfigException($"unable to provision SubPath `{subPath}`: must not contain '..'");
        }
    }

    private string TerminationLog(PodUid uid, string container)
    {
        string folder = paths.PodContainer(uid, container);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        string file = Path.Combine(folder, RandomNumberGenerator.GetHexString(8, lowercase: true));
        using SafeFileHandle made = File.OpenHandle(file, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        File.SetUnixFileMode(made, (UnixFileMode)Convert.ToInt32("666", 8));
        return file;
    }
}
