using System.Globalization;
using NodeAgent.Cri.V1;
using NodeAgent.Grpc;

namespace NodeAgent.FakeCriRuntime;

/// <summary>A sandbox of the fake.</summary>
/// <param name="Config">As given to RunPodSandbox.</param>
/// <param name="Status">Current state.</param>
public sealed record FakeSandbox(PodSandboxConfig Config, PodSandboxStatus Status);

/// <summary>A container of the fake.</summary>
/// <param name="SandboxId">Its sandbox.</param>
/// <param name="Config">As given to CreateContainer; resources as last updated are in Status.</param>
/// <param name="Status">Current state.</param>
public sealed record FakeContainer(string SandboxId, ContainerConfig Config, ContainerStatus Status);

/// <summary>Sandboxes, containers and images, and what the calls do to them. Not thread-safe: its owner holds a lock.</summary>
internal sealed class RuntimeModel(TimeProvider time)
{
    private int _lastId;

    public Dictionary<string, FakeSandbox> Sandboxes { get; } = [];

    public Dictionary<string, FakeContainer> Containers { get; } = [];

    public Dictionary<string, Image> Images { get; } = [];

    public long Now => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;

    public FakeSandbox Run(RunPodSandboxRequest request)
    {
        PodSandboxConfig config = request.Config ?? throw Error(StatusCode.InvalidArgument, "sandbox config is missing");
        PodSandboxMetadata metadata = config.Metadata ?? throw Error(StatusCode.InvalidArgument, "sandbox metadata is missing");
        if (Sandboxes.Values.FirstOrDefault(s => s.Status.Metadata.Equals(metadata)) is { } other)
            throw Error(StatusCode.AlreadyExists, $"sandbox name {metadata.Name}_{metadata.Namespace}_{metadata.Uid}_{metadata.Attempt} is reserved for {other.Status.Id}");
        NamespaceOption namespaces = config.Linux?.SecurityContext?.NamespaceOptions ?? new NamespaceOption();
        bool hostNetwork = namespaces.Network == NamespaceMode.Node;
        int number = ++_lastId;
        var status = new PodSandboxStatus
        {
            Id = NewId(number),
            Metadata = metadata,
            State = PodSandboxState.SandboxReady,
            CreatedAt = Now,
            Network = new PodSandboxNetworkStatus { Ip = hostNetwork ? "" : $"10.88.{number / 250}.{number % 250 + 2}" },
            Linux = new LinuxPodSandboxStatus { Namespaces = new Namespace { Options = namespaces } },
            RuntimeHandler = request.RuntimeHandler,
            Labels = { config.Labels },
            Annotations = { config.Annotations },
        };
        return Sandboxes[status.Id] = new FakeSandbox(config, status);
    }

    public FakeContainer Create(CreateContainerRequest request)
    {
        FakeSandbox sandbox = Sandbox(request.PodSandboxId);
        if (sandbox.Status.State != PodSandboxState.SandboxReady) throw Error(StatusCode.FailedPrecondition, $"sandbox {request.PodSandboxId} is not running");
        ContainerConfig config = request.Config ?? throw Error(StatusCode.InvalidArgument, "container config is missing");
        Image image = FindImage(config.Image?.Image ?? "") ?? throw Error(StatusCode.NotFound, $"failed to resolve image \"{config.Image?.Image}\": not found");
        if (Containers.Values.FirstOrDefault(c => c.SandboxId == request.PodSandboxId && c.Status.Metadata.Equals(config.Metadata)) is { } other)
            throw Error(StatusCode.AlreadyExists, $"container name {config.Metadata.Name}_{config.Metadata.Attempt} is reserved for {other.Status.Id}");
        var status = new ContainerStatus
        {
            Id = NewId(++_lastId),
            Metadata = config.Metadata,
            State = ContainerState.ContainerCreated,
            CreatedAt = Now,
            Image = config.Image,
            ImageRef = image.RepoDigests.FirstOrDefault() ?? image.Id,
            ImageId = image.Id,
            LogPath = config.LogPath.Length > 0 ? Path.Combine(sandbox.Config.LogDirectory, config.LogPath) : "",
            Resources = new ContainerResources { Linux = config.Linux?.Resources?.Clone() ?? new LinuxContainerResources() },
            Labels = { config.Labels },
            Annotations = { config.Annotations },
            Mounts = { config.Mounts },
        };
        return Containers[status.Id] = new FakeContainer(request.PodSandboxId, config, status);
    }

    public FakeContainer Start(string id)
    {
        FakeContainer container = Container(id);
        if (container.Status.State != ContainerState.ContainerCreated) throw Error(StatusCode.FailedPrecondition, $"container {id} is in {container.Status.State} state");
        container.Status.State = ContainerState.ContainerRunning;
        container.Status.StartedAt = Now;
        return container;
    }

    /// <returns>Null where it does not run.</returns>
    public FakeContainer? Exit(string id, int code, string? reason, string message)
    {
        FakeContainer container = Container(id);
        if (container.Status.State is not (ContainerState.ContainerRunning or ContainerState.ContainerCreated or ContainerState.ContainerUnknown)) return null;
        container.Status.State = ContainerState.ContainerExited;
        container.Status.FinishedAt = Now;
        container.Status.ExitCode = code;
        container.Status.Reason = reason ?? (code == 0 ? "Completed" : "Error");
        container.Status.Message = message;
        return container;
    }

    public FakeSandbox Sandbox(string id) => Sandboxes.TryGetValue(id, out FakeSandbox? s) ? s : throw Error(StatusCode.NotFound, $"an error occurred when try to find sandbox: \"{id}\": not found");

    public FakeContainer Container(string id) => Containers.TryGetValue(id, out FakeContainer? c) ? c : throw Error(StatusCode.NotFound, $"an error occurred when try to find container \"{id}\": not found");

    public IEnumerable<PodSandbox> List(PodSandboxFilter? filter) =>
        from s in Sandboxes.Values.Select(s => s.Status)
        where filter is null || ((filter.Id.Length == 0 || s.Id.StartsWith(filter.Id, StringComparison.Ordinal))
            && (filter.State is null || filter.State.State == s.State) && filter.LabelSelector.All(l => s.Labels.TryGetValue(l.Key, out string? v) && v == l.Value))
        select new PodSandbox
        {
            Id = s.Id,
            Metadata = s.Metadata,
            State = s.State,
            CreatedAt = s.CreatedAt,
            RuntimeHandler = s.RuntimeHandler,
            Labels = { s.Labels },
            Annotations = { s.Annotations },
        };

    public IEnumerable<Container> List(ContainerFilter? filter) =>
        from c in Containers.Values
        let s = c.Status
        where filter is null || ((filter.Id.Length == 0 || s.Id.StartsWith(filter.Id, StringComparison.Ordinal))
            && (filter.PodSandboxId.Length == 0 || filter.PodSandboxId == c.SandboxId)
            && (filter.State is null || filter.State.State == s.State) && filter.LabelSelector.All(l => s.Labels.TryGetValue(l.Key, out string? v) && v == l.Value))
        select new Container
        {
            Id = s.Id,
            PodSandboxId = c.SandboxId,
            Metadata = s.Metadata,
            Image = s.Image,
            ImageRef = s.ImageRef,
            ImageId = s.ImageId,
            State = s.State,
            CreatedAt = s.CreatedAt,
            Labels = { s.Labels },
            Annotations = { s.Annotations },
        };

    public Image AddImage(string reference, ulong size)
    {
        if (FindImage(reference) is { } known) return known;
        string digest = Digest(++_lastId);
        bool byDigest = reference.Contains('@', StringComparison.Ordinal);
        int colon = reference.LastIndexOf(':');
        string repository = byDigest ? reference[..reference.IndexOf('@', StringComparison.Ordinal)]
            : colon > reference.LastIndexOf('/') ? reference[..colon] : reference;
        var image = new Image { Id = "sha256:" + digest, Size = size, Spec = new ImageSpec { Image = reference } };
        if (!byDigest) image.RepoTags.Add(reference);
        image.RepoDigests.Add(byDigest ? reference : $"{repository}@sha256:{Digest(_lastId + 1_000_000)}");
        return Images[image.Id] = image;
    }

    public Image? FindImage(string reference) =>
        Images.Values.FirstOrDefault(i => i.Id == reference || i.RepoTags.Contains(reference) || i.RepoDigests.Contains(reference));

    public static RpcException Error(StatusCode code, string message) => new(new Status(code, message));

    private static string Digest(int number) => number.ToString("x64", CultureInfo.InvariantCulture);

    private static string NewId(int number) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(number)));
}
