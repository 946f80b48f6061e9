using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// Static pods from a URL, asked for every period. No answer, or one that cannot be used, changes nothing; an empty one takes all pods
/// away. Source: pkg/kubelet/config/http.go.
/// </summary>
/// <param name="url">staticPodURL.</param>
/// <param name="headers">staticPodURLHeader; may hold secrets.</param>
/// <param name="node">The node's name.</param>
/// <param name="period">httpCheckFrequency.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Logger.</param>
public sealed partial class StaticUrlPodSource(
    Uri url, IReadOnlyDictionary<string, IReadOnlyList<string>> headers, string node, TimeSpan period, TimeProvider time, ILogger<StaticUrlPodSource> logger) : IPodSource
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private readonly StaticPodOrigin _origin = StaticPodOrigin.Url(url);
    private byte[]? _content;
    private int _failures;

    /// <inheritdoc/>
    public PodSourceKind Kind => PodSourceKind.Http;

    /// <inheritdoc/>
    public async Task RunAsync(IPodSourceSink sink, CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler { UseCookies = false, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30) };
        using var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = StaticPodManifest.LargestContent };
        while (true)
        {
            try
            {
                await LookAsync(client, sink, cancellationToken);
                _failures = 0;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && e is not OutOfMemoryException)
            {
                // As upstream: the first few failures of a row tell enough.
                if (_failures++ < 3)
                {
                    LogFailed(_origin.Shown, e is OperationCanceledException ? $"no answer within {Limit.TotalSeconds:0} s" : e.Message);
                }
            }

            await Task.Delay(period, time, cancellationToken);
        }
    }

    private async Task LookAsync(HttpClient client, IPodSourceSink sink, CancellationToken cancellationToken)
    {
        byte[] content = await GetAsync(client, cancellationToken);
        if (content.Length == 0)
        {
            _content = null;
            sink.Replace(PodSourceKind.Http, []);
            throw new FormatException("the answer is empty, so there are no pods of this URL");
        }

        if (_content is not null && content.AsSpan().SequenceEqual(_content))
        {
            return;
        }

        _content = content;
        sink.Replace(PodSourceKind.Http, Pods(StaticPodManifest.Many(content)));
    }

    /// <summary>A pod that cannot be used is told of and takes no other with it.</summary>
    private List<Pod> Pods(IReadOnlyList<StaticPodManifest> manifests)
    {
        var pods = new List<Pod>();
        foreach (StaticPodManifest manifest in manifests)
        {
            try
            {
                pods.Add(StaticPodDecoder.Complete(_origin, manifest, node, time.GetUtcNow()));
            }
            catch (StaticPodException e)
            {
                LogPod(e.Message);
            }
        }

        return pods.Count > 0 || manifests.Count == 0 ? pods : throw new FormatException("none of its pods can be used");
    }

    private async Task<byte[]> GetAsync(HttpClient client, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (url.UserInfo.Length > 0)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(Uri.UnescapeDataString(url.UserInfo))));
        }

        foreach ((string name, IReadOnlyList<string> values) in headers)
        {
            if (name.Equals("Host", StringComparison.OrdinalIgnoreCase))
            {
                continue; // Go takes the host from the URL alone
            }

            request.Headers.TryAddWithoutValidation(name, values);
        }

        using HttpResponseMessage answer = await client.SendAsync(request, HttpCompletionOption.ResponseContentRead, either.Token);
        return answer.StatusCode == HttpStatusCode.OK ? await answer.Content.ReadAsByteArrayAsync(either.Token)
            : throw new HttpRequestException($"answered {(int)answer.StatusCode} {answer.ReasonPhrase}");
    }

    [LoggerMessage(2015, LogLevel.Warning, "Static pods of {Url} could not be read, the last ones stay: {Error}")]
    private partial void LogFailed(string url, string error);

    [LoggerMessage(2016, LogLevel.Error, "{Error}")]
    private partial void LogPod(string error);
}
