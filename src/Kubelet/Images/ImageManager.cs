using System.Collections.Concurrent;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Images;

/// <summary>How images are pulled.</summary>
/// <param name="MaxParallel">serializeImagePulls: 1; else maxParallelImagePulls, null = no bound.</param>
public sealed record ImageOptions(int? MaxParallel)
{
    /// <summary>Upstream's default: one after another.</summary>
    public static ImageOptions Default { get; } = new(1);

    /// <summary>registryPullQPS; zero = no limit.</summary>
    public double PullsPerSecond { get; init; }

    /// <summary>registryBurst.</summary>
    public int Burst { get; init; }
}

/// <summary>What the image manager works with.</summary>
/// <param name="Images">The runtime.</param>
/// <param name="Objects">Pull secrets.</param>
/// <param name="Events">Events.</param>
/// <param name="Credentials">Finds credentials; null: pull secrets only.</param>
/// <param name="Records">Whether a pod may use a present image; null: it may.</param>
internal sealed record ImageManagerParts(
    IImageService Images, IPodObjectStore Objects, IPodEventRecorder Events, ImageCredentials? Credentials = null, ImagePullRecords? Records = null);

/// <summary>The outcome of making an image present.</summary>
internal abstract record ImageResult
{
    private ImageResult()
    {
    }

    /// <summary>It is there.</summary>
    public sealed record Present(string ImageRef, Cri.V1.Image Image, string Requested) : ImageResult;

    /// <summary>It is not: reason and message for status.containerStatuses[].state.waiting.</summary>
    public sealed record Failed(string Reason, string Message, TimeSpan? RetryAfter) : ImageResult;
}

/// <summary>Makes images present by pull policy, with back-off and credentials. Source: pkg/kubelet/images/image_manager.go.</summary>
internal sealed class ImageManager(ImageManagerParts parts, ImageOptions options, TimeProvider time)
{
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(300);
    private readonly SemaphoreSlim? _pulls = options.MaxParallel is { } n ? new SemaphoreSlim(n) : null;
    private readonly PullRateLimit _rate = new(options.PullsPerSecond, options.Burst, time);
    private readonly ConcurrentDictionary<(PodUid, string), (DateTimeOffset FailedAt, TimeSpan Delay, string Error)> _backOff = new();

    public async Task<ImageResult> EnsureAsync(Pod pod, string? container, string image, string? policy, PodSandboxConfig sandbox, IStartTurn? turn, CancellationToken cancellationToken)
    {
        var about = new ImageRequest(pod, container, image, sandbox);
        if (ImageName.WithTag(image) is not { } name)
        {
            string text = $"Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid reference format";
            Record(about, "Warning", "InspectFailed", text);
            return new ImageResult.Failed("InvalidImageName", text, null);
        }

        Image? present;
        try
        {
            present = await InspectAsync(name, cancellationToken);
        }
        catch (CriException e)
        {
            string text = $"Failed to inspect image \"{name}\": {e.Message}";
            Record(about, "Warning", "InspectFailed", text);
            return new ImageResult.Failed("ImageInspectError", text, TimeSpan.FromSeconds(10));
        }

        // Asked for once and no earlier than needed: by the proof of access or by the pull.
        var credentials = new Lazy<Task<IReadOnlyList<RegistryCredential>>>(() => CredentialsAsync(about, name, cancellationToken));
        policy ??= name.EndsWith(":latest", StringComparison.Ordinal) ? "Always" : "IfNotPresent";
        try
        {
            if (present is not null && policy != "Always" && !await MustPullAsync(image, present, credentials))
            {
                Record(about, "Normal", "Pulled", $"Container image \"{image}\" already present on machine{(parts.Records is null ? "" : " and can be accessed by the pod")}");
                return new ImageResult.Present(present.Id, present, image);
            }
        }
        catch (FormatException e)
        {
            return new ImageResult.Failed("ErrImagePull", e.Message, FirstBackOff);
        }

        if (policy == "Never")
        {
            // An image this pod may not use is told of as one that is not there.
            string text = $"Container image \"{image}\" is not present with pull policy of Never";
            Record(about, "Warning", "ErrImageNeverPull", text);
            return new ImageResult.Failed("ErrImageNeverPull", text, null);
        }

        // Others may start while this one pulls.
        turn?.Pause();
        ImageResult result = await PullAsync(about, name, credentials, cancellationToken);
        await (turn?.ResumeAsync(cancellationToken) ?? Task.CompletedTask);
        return result;
    }

    public void Forget(PodUid uid)
    {
        foreach ((PodUid, string) key in _backOff.Keys.Where(k => k.Item1 == uid))
        {
            _backOff.TryRemove(key, out _);
        }
    }

    private Task<bool> MustPullAsync(string image, Image present, Lazy<Task<IReadOnlyList<RegistryCredential>>> credentials) =>
        parts.Records?.MustPullAsync(image, present.Id, () => credentials.Value) ?? Task.FromResult(false);

    private async Task<ImageResult> PullAsync(ImageRequest about, string name, Lazy<Task<IReadOnlyList<RegistryCredential>>> credentials, CancellationToken cancellationToken)
    {
        string image = about.Image;
        (PodUid, string) key = (about.Pod.Uid, image);
        DateTimeOffset now = time.GetUtcNow();
        if (_backOff.TryGetValue(key, out var entry) && entry.Error.Length > 0 && now < entry.FailedAt + entry.Delay)
        {
            string text = $"Back-off pulling image \"{image}\"";
            Record(about, "Normal", "BackOff", text);
            return new ImageResult.Failed("ImagePullBackOff", $"{text}: {entry.Error}", entry.FailedAt + entry.Delay - now);
        }

        bool noted = false;
        Pull? done = null;
        try
        {
            parts.Records?.Begin(image);
            noted = true;
            done = await PullOneAsync(about, name, credentials, cancellationToken);
            return new ImageResult.Present(done.Reference, done.Image, image);
        }
        catch (Exception e) when (e is CriException or FormatException or IOException or UnauthorizedAccessException or PullFailedException)
        {
            string said = e switch
            {
                CriException cri => cri.Detail,
                IOException or UnauthorizedAccessException when !noted => $"Failed to record image pull intent for container image \"{image}\": {e.Message}",
                _ => e.Message,
            };
            return Failed(about, said);
        }
        finally
        {
            if (noted && done is not null)
            {
                parts.Records?.Pulled(image, done.Reference, done.Credential);
            }
            else if (noted)
            {
                parts.Records?.Failed(image);
            }
        }
    }

    private async Task<Pull> PullOneAsync(ImageRequest about, string name, Lazy<Task<IReadOnlyList<RegistryCredential>>> credentials, CancellationToken cancellationToken)
    {
        IReadOnlyList<RegistryCredential> found = await credentials.Value;
        long asked = time.GetTimestamp();
        Record(about, "Normal", "Pulling", $"Pulling image \"{about.Image}\"");
        if (_pulls is not null)
        {
            await _pulls.WaitAsync(cancellationToken);
        }

        try
        {
            long began = time.GetTimestamp();
            if (!_rate.TryTake())
            {
                throw new PullFailedException("pull QPS exceeded");
            }

            (string reference, RegistryCredential? used) = await PullWithAsync(about, name, found, cancellationToken);
            Image image = await SizeAsync(name, cancellationToken) ?? new Image { Id = reference };
            string text = $"Successfully pulled image \"{about.Image}\" in {Go(time.GetElapsedTime(began))} ({Go(time.GetElapsedTime(asked))} including waiting). Image size: {image.Size} bytes.";
            Record(about, "Normal", "Pulled", text);
            return new Pull(reference, image, used);
        }
        finally
        {
            _pulls?.Release();
        }
    }

    /// <summary>One credential after the other until one opens the image; without any, anonymously.</summary>
    private async Task<(string Reference, RegistryCredential? Used)> PullWithAsync(ImageRequest about, string name, IReadOnlyList<RegistryCredential> credentials, CancellationToken cancellationToken)
    {
        var errors = new List<string>();
        foreach (RegistryCredential? credential in credentials.Count > 0 ? credentials : [null!])
        {
            var request = new PullImageRequest { Image = Spec(name), SandboxConfig = about.Sandbox };
            if (credential is not null)
            {
                request.Auth = new AuthConfig { Username = credential.Username, Password = credential.Password };
            }

            try
            {
                return ((await parts.Images.PullImageAsync(request, cancellationToken)).ImageRef, credential);
            }
            catch (CriException e)
            {
                errors.Add(e.Detail);
            }
        }

        string[] distinct = [.. errors.Distinct()];
        throw new PullFailedException(distinct.Length == 1 ? distinct[0] : $"[{string.Join(", ", distinct)}]");
    }

    private ImageResult.Failed Failed(ImageRequest about, string said)
    {
        Record(about, "Warning", "Failed", $"Failed to pull image \"{about.Image}\": {said}");
        (PodUid, string) key = (about.Pod.Uid, about.Image);
        DateTimeOffset now = time.GetUtcNow();
        _backOff.TryGetValue(key, out var before);
        bool anew = before.Delay == default || now - before.FailedAt > 2 * LongestBackOff;
        TimeSpan delay = anew ? FirstBackOff : before.Delay * 2 < LongestBackOff ? before.Delay * 2 : LongestBackOff;
        (string reason, string error) = PullFailure(about.Image, said);
        _backOff[key] = (now, delay, $"{reason}: {error}");
        return new ImageResult.Failed(reason, error, delay);
    }

    /// <summary>Two errors have a name of their own, with which the runtime's message begins.</summary>
    private static (string Reason, string Message) PullFailure(string image, string said)
    {
        foreach ((string name, string why) in ((string, string)[])[("RegistryUnavailable", "the registry is unavailable"), ("SignatureValidationFailed", "the signature validation failed")])
        {
            if (said.StartsWith(name, StringComparison.Ordinal))
            {
                return (name, $"image pull failed for {image} because {why}{said[name.Length..]}");
            }
        }

        return ("ErrImagePull", said);
    }

    private async Task<IReadOnlyList<RegistryCredential>> CredentialsAsync(ImageRequest about, string name, CancellationToken cancellationToken)
    {
        List<Secret> secrets = await SecretsAsync(about.Pod, cancellationToken);
        return parts.Credentials is { } all ? await all.FindAsync(about.Pod, secrets, name, cancellationToken) : PullCredentials.Find(secrets, name);
    }

    private async Task<List<Secret>> SecretsAsync(Pod pod, CancellationToken cancellationToken)
    {
        List<Secret> secrets = [];
        List<string> missing = [];
        foreach (LocalObjectReference reference in pod.Spec.ImagePullSecrets.Where(r => !string.IsNullOrEmpty(r.Name)))
        {
            try
            {
                secrets.Add(await parts.Objects.GetSecretAsync(pod.Metadata.Namespace ?? "", reference.Name!, cancellationToken));
            }
            catch (KubernetesException)
            {
                missing.Add(reference.Name!);
            }
        }

        if (missing.Count > 0)
        {
            parts.Events.Record(pod, null, "Warning", "FailedToRetrieveImagePullSecret",
                $"Unable to retrieve some image pull secrets ({string.Join(", ", missing)}); attempting to pull the image may not succeed.");
        }

        return secrets;
    }

    private async Task<Image?> InspectAsync(string name, CancellationToken cancellationToken) =>
        (await parts.Images.ImageStatusAsync(new ImageStatusRequest { Image = Spec(name) }, cancellationToken)).Image;

    /// <summary>The image is there whether or not its size can be had.</summary>
    private async Task<Image?> SizeAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await InspectAsync(name, cancellationToken);
        }
        catch (CriException)
        {
            return null;
        }
    }

    private static ImageSpec Spec(string name) => new() { Image = name, UserSpecifiedImage = name };

    private void Record(ImageRequest about, string type, string reason, string message) => parts.Events.Record(about.Pod, about.Container, type, reason, message);

    private static string Go(TimeSpan t) => GoDuration.Format(TimeSpan.FromMilliseconds(Math.Floor(t.TotalMilliseconds)));

    private sealed record ImageRequest(Pod Pod, string? Container, string Image, PodSandboxConfig Sandbox);

    private sealed record Pull(string Reference, Image Image, RegistryCredential? Credential);

    private sealed class PullFailedException(string message) : Exception(message);
}
