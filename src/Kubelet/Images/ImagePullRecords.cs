using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;

namespace NodeAgent.Kubelet.Images;

/// <summary>
/// Remembers which images were pulled with whose credentials, and decides whether a pod may use one that is there already.
/// Source: pkg/kubelet/images/pullmanager/image_pull_manager.go (KubeletEnsureSecretPulledImages).
/// </summary>
/// <param name="rootFolder">--root-dir.</param>
/// <param name="policy">What needs no proof.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Logger.</param>
public sealed partial class ImagePullRecords(string rootFolder, PullVerification policy, TimeProvider time, ILogger<ImagePullRecords> logger)
{
    /// <summary>So many secrets of one image are remembered by their use alone; more only by pulls.</summary>
    private const int LearntSecrets = 100;
    private readonly PullRecordFolder _folder = new(rootFolder);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _pulling = [];

    /// <summary>Pulls that an earlier life began and the runtime ended are recorded as pulled by nobody in particular.</summary>
    /// <exception cref="CriException">The runtime does not list its images.</exception>
    public async Task RecoverAsync(IImageService images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        List<string> intents;
        lock (_lock)
        {
            intents = [.. _folder.Intents().Where(i => !_pulling.ContainsKey(i))];
        }

        if (intents.Count == 0)
        {
            return;
        }

        foreach (Image image in (await images.ListImagesAsync(new ListImagesRequest(), cancellationToken)).Images)
        {
            foreach (string intent in intents.Where(i => image.RepoTags.Contains(i) || image.RepoDigests.Contains(i)))
            {
                Merge(intent, image.Id, null);
                Forget(intent);
            }
        }
    }

    /// <summary>Records of images that are gone are removed.</summary>
    /// <param name="present">The runtime's references of the images that are there.</param>
    /// <param name="listedAt">When that was asked: what was recorded since stays.</param>
    public void Prune(IReadOnlyCollection<string> present, DateTimeOffset listedAt)
    {
        lock (_lock)
        {
            foreach (PulledRecord record in _folder.Records().Where(r => r.UpdatedAt < listedAt && !present.Contains(r.ImageRef)))
            {
                _folder.Remove(record);
            }
        }
    }

    /// <summary>Notes that the image is about to be pulled. End it with <see cref="Pulled"/> or <see cref="Failed"/>.</summary>
    /// <exception cref="IOException">The note cannot be written: the pull must not begin.</exception>
    internal void Begin(string image)
    {
        lock (_lock)
        {
            _folder.WriteIntent(image);
            _pulling[image] = _pulling.GetValueOrDefault(image) + 1;
        }
    }

    internal void Failed(string image)
    {
        lock (_lock)
        {
            int left = _pulling.GetValueOrDefault(image) - 1;
            if (left > 0)
            {
                _pulling[image] = left;
                return;
            }

            _pulling.Remove(image);
            Forget(image);
        }
    }

    internal void Pulled(string image, string imageRef, RegistryCredential? credential)
    {
        // Without a record the intent stays: the image still counts as pulled by this node.
        if (Merge(image, imageRef, PullAccess.By(credential)))
        {
            Failed(image);
        }
    }

    /// <summary>True where the pod has to prove, by pulling, that it may use the image.</summary>
    /// <param name="image">As in the pod's spec.</param>
    /// <param name="imageRef">The runtime's reference of the image that is there.</param>
    /// <param name="credentials">The pod's credentials; asked for only where they matter.</param>
    internal async Task<bool> MustPullAsync(string image, string imageRef, Func<Task<IReadOnlyList<RegistryCredential>>> credentials)
    {
        PulledRecord? record;
        bool pulled;
        try
        {
            lock (_lock)
            {
                record = _folder.Get(imageRef);
                pulled = record is not null || _pulling.ContainsKey(image) || _folder.HasIntent(image);
            }
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            LogUnreadable(imageRef, e.Message);
            return true;
        }

        if (!policy.IsRequired(image, pulled))
        {
            return false;
        }

        if (record is null || !record.Access.TryGetValue(ImageName.WithoutTag(image), out PullAccess? access))
        {
            return true;
        }

        return !access.NodePodsAccessible && (access.Secrets.Count + access.ServiceAccounts.Count == 0 || !May(image, imageRef, access, await credentials()));
    }

    private bool May(string image, string imageRef, PullAccess access, IReadOnlyList<RegistryCredential> credentials)
    {
        foreach (RegistryCredential credential in credentials.Where(c => c.Secret is not null))
        {
            string hash = credential.Hash();
            bool sameHash = access.Secrets.Any(s => s.Hash.Length > 0 && s.Hash == hash), sameSecret = access.Secrets.Any(s => s.Owner == credential.Secret);
            bool learns = access.Secrets.Count < LearntSecrets;
            if (!sameHash && !(sameSecret && learns))
            {
                continue;
            }

            if (sameHash != sameSecret && learns)
            {
                Merge(image, imageRef, PullAccess.By(credential));
            }

            return true;
        }

        return credentials.FirstOrDefault(c => c.ServiceAccount is not null)?.ServiceAccount is { } account && access.ServiceAccounts.Contains(account);
    }

    /// <summary>Adds to an image's record; null proves nothing but that the image was pulled.</summary>
    private bool Merge(string image, string imageRef, PullAccess? proven)
    {
        try
        {
            lock (_lock)
            {
                PulledRecord? known = Known(imageRef);
                var access = new Dictionary<string, PullAccess>(known?.Access ?? new Dictionary<string, PullAccess>());
                string name = ImageName.WithoutTag(image);
                PullAccess? before = access.GetValueOrDefault(name);
                if (proven is not null)
                {
                    access[name] = before?.With(proven) ?? proven;
                }

                if (known is null || !ReferenceEquals(access.GetValueOrDefault(name), before))
                {
                    _folder.Write(new PulledRecord(imageRef, time.GetUtcNow(), access));
                }
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(image, e.Message);
            return false;
        }
    }

    private PulledRecord? Known(string imageRef)
    {
        try
        {
            return _folder.Get(imageRef);
        }
        catch (FormatException)
        {
            return null; // replaced by a good one
        }
    }

    private void Forget(string image)
    {
        try
        {
            lock (_lock)
            {
                _folder.RemoveIntent(image);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(image, e.Message);
        }
    }

    [LoggerMessage(2510, LogLevel.Warning, "Image {Image}: its pull record cannot be read, its use has to be proven by a pull: {Error}")]
    private partial void LogUnreadable(string image, string error);

    [LoggerMessage(2511, LogLevel.Warning, "Image {Image}: its pull record cannot be written: {Error}")]
    private partial void LogNotWritten(string image, string error);
}
