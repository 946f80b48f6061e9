using NodeAgent.Cri.Connection;
using NodeAgent.Cri.V1;

namespace NodeAgent.Cri;

/// <summary>The image service of a real container runtime.</summary>
/// <param name="connection">Where the calls go; may be shared with the other service's client.</param>
public sealed class ImageServiceClient(CriConnection connection) : IImageService
{
    private readonly CriTimeLimits _limits = connection.Limits;

    /// <inheritdoc/>
    public Task<ListImagesResponse> ListImagesAsync(ListImagesRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(ImageServiceMethods.ListImages, "list_images", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamImagesResponse> StreamImages(StreamImagesRequest request, CancellationToken cancellationToken) =>
        connection.Stream(ImageServiceMethods.StreamImages, "list_images", request, cancellationToken);

    /// <inheritdoc/>
    public Task<ImageStatusResponse> ImageStatusAsync(ImageStatusRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(ImageServiceMethods.ImageStatus, "image_status", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<PullImageResponse> PullImageAsync(PullImageRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(ImageServiceMethods.PullImage, "pull_image", null, request, cancellationToken);

    /// <inheritdoc/>
    public Task<RemoveImageResponse> RemoveImageAsync(RemoveImageRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(ImageServiceMethods.RemoveImage, "remove_image", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ImageFsInfoResponse> ImageFsInfoAsync(ImageFsInfoRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(ImageServiceMethods.ImageFsInfo, "image_fs_info", _limits.Normal, request, cancellationToken);
}
