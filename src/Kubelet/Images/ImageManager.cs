using System.Collections.Concurrent;
using System.Globalization;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Images;

/// <summary>How images are pulled.</summary>
/// <param name="MaxParallel">serializeImagePulls: 1; else maxParallelImagePulls, null = no bound.</param>
public sealed record ImageOptions(int? MaxParallel)
{
    /// <summary>Upstream's default: one after another.</summary>
    public static ImageOptions Default { get; } = new(1);
}

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
internal sealed class ImageManager(IImageService images, IPodObjectStore objects, IPodEventRecorder events, ImageOptions options, TimeProvider time)
{
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(300);
    private readonly SemaphoreSlim? _pulls = options.MaxParallel is { } n ? new SemaphoreSlim(n) : null;
    private readonly ConcurrentDictionary<(PodUid, string), (DateTimeOffset Until, TimeSpan Delay, string Error)> _backOff = new();

    public async Task<ImageResult> EnsureAsync(Pod pod, string container, string image, string? policy, PodSandboxConfig sandbox, IStartTurn? turn, CancellationToken cancellationToken)
    {
        if (ImageName.WithTag(image) is not { } name)
        {
            string text = $"Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid reference format";
            events.Record(pod, container, "Warning", "InspectFailed", text);
            return new ImageResult.Failed("InvalidImageName", text, null);
        }

        Image? present;
        try
        {
            present = (await images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = name } }, cancellationToken)).Image;
        }
        catch (CriException e)
        {
            string text = $"Failed to inspect image \"{name}\": {e.Message}";
            events.Record(pod, container, "Warning", "InspectFailed", text);
            return new ImageResult.Failed("ImageInspectError", text, TimeSpan.FromSeconds(10));
        }

        policy ??= name.EndsWith(":latest", StringComparison.Ordinal) ? "Always" : "IfNotPresent";
        if (present is not null && policy != "Always")
        {
            events.Record(pod, container, "Normal", "Pulled", $"Container image \"{image}\" already present on machine and can be accessed by the pod");
            return new ImageResult.Present(present.Id, present, image);
        }

        if (policy == "Never")
        {
            string text = $"Container image \"{image}\" is not present with pull policy of Never";
            events.Record(pod, container, "Warning", "ErrImageNeverPull", text);
            return new ImageResult.Failed("ErrImageNeverPull", text, null);
        }

        // Others may start while this one pulls.
        turn?.Pause();
        ImageResult result = await PullAsync(pod, container, image, name, sandbox, cancellationToken);
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

    private async Task<ImageResult> PullAsync(Pod pod, string container, string image, string name, PodSandboxConfig sandbox, CancellationToken cancellationToken)
    {
        (PodUid, string) key = (pod.Uid, image);
        DateTimeOffset now = time.GetUtcNow();
        if (_backOff.TryGetValue(key, out var entry) && now < entry.Until)
        {
            string text = $"Back-off pulling image \"{image}\"";
            events.Record(pod, container, "Normal", "BackOff", text);
            return new ImageResult.Failed("ImagePullBackOff", $"{text}: {entry.Error}", entry.Until - now);
        }

        long asked = time.GetTimestamp();
        if (_pulls is not null)
        {
            await _pulls.WaitAsync(cancellationToken);
        }

        try
        {
            events.Record(pod, container, "Normal", "Pulling", $"Pulling image \"{image}\"");
            long began = time.GetTimestamp();
            string reference = await PullWithCredentialsAsync(pod, container, name, sandbox, cancellationToken);
            Image? pulled = (await images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = name } }, cancellationToken)).Image;
            _backOff.TryRemove(key, out _);
            events.Record(pod, container, "Normal", "Pulled",
                $"Successfully pulled image \"{image}\" in {Go(time.GetElapsedTime(began))} ({Go(time.GetElapsedTime(asked))} including waiting). Image size: {pulled?.Size ?? 0} bytes.");
            return new ImageResult.Present(reference, pulled ?? new Image { Id = reference }, image);
        }
        catch (Exception e) when (e is CriException or FormatException)
        {
            TimeSpan delay = entry.Delay == default || now - entry.Until > 2 * LongestBackOff ? FirstBackOff : entry.Delay * 2 < LongestBackOff ? entry.Delay * 2 : LongestBackOff;
            string said = e is CriException cri ? cri.Detail : e.Message;
            events.Record(pod, container, "Warning", "Failed", $"Failed to pull image \"{image}\": {said}");
            (string reason, string error) = PullFailure(image, said);
            _backOff[key] = (time.GetUtcNow() + delay, delay, $"{reason}: {error}");
            return new ImageResult.Failed(reason, error, delay);
        }
        finally
        {
            _pulls?.Release();
        }
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

    private async Task<string> PullWithCredentialsAsync(Pod pod, string container, string name, PodSandboxConfig sandbox, CancellationToken cancellationToken)
    {
        IReadOnlyList<RegistryCredential> credentials = PullCredentials.Find(await SecretsAsync(pod, container, cancellationToken), name);
        CriException? last = null;
        foreach (RegistryCredential? credential in credentials.Count > 0 ? credentials : [null!])
        {
            var request = new PullImageRequest { Image = new ImageSpec { Image = name, UserSpecifiedImage = name }, SandboxConfig = sandbox };
            if (credential is not null)
            {
                request.Auth = new AuthConfig { Username = credential.Username, Password = credential.Password };
            }

            try
            {
                return (await images.PullImageAsync(request, cancellationToken)).ImageRef;
            }
            catch (CriException e)
            {
                last = e;
            }
        }

        throw last!;
    }

    private async Task<List<Secret>> SecretsAsync(Pod pod, string container, CancellationToken cancellationToken)
    {
        var secrets = new List<Secret>();
        foreach (LocalObjectReference reference in pod.Spec.ImagePullSecrets.Where(r => !string.IsNullOrEmpty(r.Name)))
        {
            try
            {
                secrets.Add(await objects.GetSecretAsync(pod.Metadata.Namespace ?? "", reference.Name!, cancellationToken));
            }
            catch (KubernetesException e)
            {
                events.Record(pod, container, "Warning", "FailedToRetrieveImagePullSecret",
                    $"Unable to retrieve some image pull secrets ({reference.Name}); attempting to pull the image may not succeed. {e.Message}");
            }
        }

        return secrets;
    }

    private static string Go(TimeSpan t) => t.TotalSeconds >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{t.TotalSeconds:0.###}s")
        : string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, t.TotalMilliseconds):0}ms");
}
