using System.Collections.Concurrent;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;

namespace NodeAgent.Kubelet.Tests.Images;

/// <summary>A runtime's images in memory, with a registry that lets in who has the password.</summary>
internal sealed class FakeImages : IImageService
{
    public ConcurrentDictionary<string, Image> Present { get; } = new();

    /// <summary>Passwords that open the registry; empty: anonymous pulls do.</summary>
    public HashSet<string> Opens { get; } = [];

    public ConcurrentQueue<string> Pulls { get; } = new();

    public string? Error { get; set; }

    /// <summary>Holds pulls while set.</summary>
    public TaskCompletionSource? Gate { get; set; }

    public static string IdOf(string image) => "sha256:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(image)));

    public void Add(string image) => Present[image] = new Image { Id = IdOf(image), Size = 42, RepoTags = { image } };

    public Task<ImageStatusResponse> ImageStatusAsync(ImageStatusRequest request, CancellationToken cancellationToken) =>
        Task.FromResult(new ImageStatusResponse { Image = Present.GetValueOrDefault(request.Image.Image) });

    public async Task<PullImageResponse> PullImageAsync(PullImageRequest request, CancellationToken cancellationToken)
    {
        Pulls.Enqueue(request.Auth?.Password ?? "");
        if (Gate is { } gate)
        {
            await gate.Task.WaitAsync(cancellationToken);
        }

        if (Error is { } error)
        {
            throw new CriException("PullImage", CriErrorKind.Other, error);
        }

        if (Opens.Count > 0 && !Opens.Contains(request.Auth?.Password ?? ""))
        {
            throw new CriException("PullImage", CriErrorKind.PermissionDenied, $"no entry with \"{request.Auth?.Username}\"");
        }

        Add(request.Image.Image);
        return new PullImageResponse { ImageRef = IdOf(request.Image.Image) };
    }

    public Task<ListImagesResponse> ListImagesAsync(ListImagesRequest request, CancellationToken cancellationToken)
    {
        var all = new ListImagesResponse();
        all.Images.AddRange(Present.Values);
        return Task.FromResult(all);
    }

    public Task<RemoveImageResponse> RemoveImageAsync(RemoveImageRequest request, CancellationToken cancellationToken)
    {
        Present.TryRemove(request.Image.Image, out _);
        return Task.FromResult(new RemoveImageResponse());
    }

    public Task<ImageFsInfoResponse> ImageFsInfoAsync(ImageFsInfoRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();

    public IAsyncEnumerable<StreamImagesResponse> StreamImages(StreamImagesRequest request, CancellationToken cancellationToken) => throw new NotSupportedException();
}
