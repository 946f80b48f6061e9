using NodeAgent.Cri.V1;
using NodeAgent.Grpc;

namespace NodeAgent.Cri;

/// <summary>The wire names and messages of runtime.v1.ImageService; servers register with the same values.</summary>
public static class ImageServiceMethods
{
    /// <summary>Full service name.</summary>
    public const string Service = "runtime.v1.ImageService";

    /// <summary>ListImages.</summary>
    public static Method<ListImagesRequest, ListImagesResponse> ListImages { get; } = new(Service, "ListImages", ListImagesRequest.Parser, ListImagesResponse.Parser);

    /// <summary>StreamImages.</summary>
    public static Method<StreamImagesRequest, StreamImagesResponse> StreamImages { get; } = new(Service, "StreamImages", StreamImagesRequest.Parser, StreamImagesResponse.Parser);

    /// <summary>ImageStatus.</summary>
    public static Method<ImageStatusRequest, ImageStatusResponse> ImageStatus { get; } = new(Service, "ImageStatus", ImageStatusRequest.Parser, ImageStatusResponse.Parser);

    /// <summary>PullImage.</summary>
    public static Method<PullImageRequest, PullImageResponse> PullImage { get; } = new(Service, "PullImage", PullImageRequest.Parser, PullImageResponse.Parser);

    /// <summary>RemoveImage.</summary>
    public static Method<RemoveImageRequest, RemoveImageResponse> RemoveImage { get; } = new(Service, "RemoveImage", RemoveImageRequest.Parser, RemoveImageResponse.Parser);

    /// <summary>ImageFsInfo.</summary>
    public static Method<ImageFsInfoRequest, ImageFsInfoResponse> ImageFsInfo { get; } = new(Service, "ImageFsInfo", ImageFsInfoRequest.Parser, ImageFsInfoResponse.Parser);
}
