using NodeAgent.Cri.V1;

namespace NodeAgent.Cri;

/// <summary>
/// The CRI's image service, one method for each RPC, named as the CRI names them. All throw <see cref="CriException"/>.
/// A call that changes something looks at the token only before it is sent and then ends by its time limit alone.
/// </summary>
public interface IImageService
{
    /// <summary>Images in the store.</summary>
    Task<ListImagesResponse> ListImagesAsync(ListImagesRequest request, CancellationToken cancellationToken);

    /// <summary>As the list call, in parts (gate CRIListStreaming).</summary>
    IAsyncEnumerable<StreamImagesResponse> StreamImages(StreamImagesRequest request, CancellationToken cancellationToken);

    /// <summary>One image; response.image is null where it is absent.</summary>
    Task<ImageStatusResponse> ImageStatusAsync(ImageStatusRequest request, CancellationToken cancellationToken);

    /// <summary>Pulls an image. No limit; the caller may cancel, since pulling again is harmless.</summary>
    Task<PullImageResponse> PullImageAsync(PullImageRequest request, CancellationToken cancellationToken);

    /// <summary>Removes an image. Idempotent.</summary>
    Task<RemoveImageResponse> RemoveImageAsync(RemoveImageRequest request, CancellationToken cancellationToken);

    /// <summary>Usage of the filesystems that hold images and writable layers.</summary>
    Task<ImageFsInfoResponse> ImageFsInfoAsync(ImageFsInfoRequest request, CancellationToken cancellationToken);
}
