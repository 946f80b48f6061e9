using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Google.Protobuf;

namespace NodeAgent.Grpc.Client;

/// <summary>
/// A gRPC client for one endpoint: HTTP/2 with prior knowledge over a Unix socket or TCP, no TLS, identity compression. Connects when first
/// needed and again when a connection is lost; further connections open where the peer's stream limit is reached. An idle one is kept.
/// </summary>
public sealed class GrpcChannel : ICallInvoker, IDisposable
{
    private readonly GrpcChannelOptions _options;
    private readonly HttpMessageInvoker _http;
    private readonly Func<CancellationToken, ValueTask<Socket>> _connect;
    private readonly ConnectBackoff _backoff;

    private GrpcChannel(string target, Func<CancellationToken, ValueTask<Socket>> connect, GrpcChannelOptions options)
    {
        Target = target;
        _connect = connect;
        _options = options;
        _backoff = new ConnectBackoff(options.Time, options.InitialBackoff, options.MaxBackoff);
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            EnableMultipleHttp2Connections = true,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            ActivityHeadersPropagator = null,
            ConnectTimeout = options.ConnectTimeout,
            ConnectCallback = ConnectAsync,
        });
    }

    /// <summary>What the channel connects to, for messages: "unix:///path" or "host:port".</summary>
    public string Target { get; }

    /// <summary>A channel to a Unix stream socket.</summary>
    /// <param name="path">Absolute path, at most 107 bytes.</param>
    /// <param name="options">Null = defaults.</param>
    /// <exception cref="ArgumentException">The path is empty or too long for a socket address.</exception>
    public static GrpcChannel ForUnixSocket(string path, GrpcChannelOptions? options = null)
    {
        UnixDomainSocketEndPoint endPoint;
        try
        {
            endPoint = new UnixDomainSocketEndPoint(path);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new ArgumentException($"socket path \"{path}\" is empty or longer than the 107 bytes a Unix socket address holds; use a shorter path", nameof(path), e);
        }
        return new GrpcChannel("unix://" + path, token => ConnectSocketAsync(AddressFamily.Unix, endPoint, token), options ?? new());
    }

    /// <summary>A channel to a TCP address without TLS.</summary>
    public static GrpcChannel ForTcp(IPEndPoint address, GrpcChannelOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        return new GrpcChannel(address.ToString(), token => ConnectSocketAsync(address.AddressFamily, address, token), options ?? new());
    }

    /// <inheritdoc/>
    public async Task<TResponse> UnaryCallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using var call = new CallLifetime(options.Timeout, _options.Time, cancellationToken);
        try
        {
            using HttpRequestMessage message = NewRequest(method.RequestUri, request, options);
            using var reader = new ResponseReader<TResponse>(
                await _http.SendAsync(message, call.Token), method.ResponseParser, _options.MaxMessageSize);
            reader.CheckHeaders();
            TResponse? first = await reader.ReadAsync(call.Token);
            if (first is not null && await reader.ReadAsync(call.Token) is not null)
                throw new RpcException(new Status(StatusCode.Internal, "more than one message in the answer to a unary call"));
            reader.ThrowUnlessOK();
            return first ?? throw new RpcException(new Status(StatusCode.Internal, "status OK without a message in the answer to a unary call"));
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw call.Translate(e, method.FullName);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<TResponse> ServerStreaming<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using var call = new CallLifetime(options.Timeout, _options.Time, cancellationToken);
        ResponseReader<TResponse>? reader = null;
        try
        {
            while (true)
            {
                TResponse? next;
                try
                {
                    reader ??= await OpenAsync(method, request, options, call.Token);
                    next = await reader.ReadAsync(call.Token);
                    if (next is null) reader.ThrowUnlessOK();
                }
                catch (Exception e) when (e is not RpcException)
                {
                    throw call.Translate(e, method.FullName);
                }
                if (next is null) yield break;
                yield return next;
            }
        }
        finally
        {
            reader?.Dispose();
        }
    }

    /// <summary>Closes all connections; calls under way fail.</summary>
    public void Dispose() => _http.Dispose();

    private async Task<ResponseReader<TResponse>> OpenAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options, CancellationToken token)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using HttpRequestMessage message = NewRequest(method.RequestUri, request, options);
        var reader = new ResponseReader<TResponse>(await _http.SendAsync(message, token), method.ResponseParser, _options.MaxMessageSize);
        reader.CheckHeaders();
        return reader;
    }

    private HttpRequestMessage NewRequest(Uri address, IMessage request, CallOptions options)
    {
        int size = request.CalculateSize();
        if (size > _options.MaxMessageSize)
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"trying to send message larger than max ({size} vs. {_options.MaxMessageSize})"));
        var message = new HttpRequestMessage(HttpMethod.Post, address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new MessageContent(request, size),
        };
        message.Headers.Host = _options.Authority;
        message.Headers.TryAddWithoutValidation("te", "trailers");
        message.Headers.TryAddWithoutValidation("user-agent", _options.UserAgent);
        message.Headers.TryAddWithoutValidation("grpc-accept-encoding", "identity");
        if (options.Timeout is { } timeout) message.Headers.TryAddWithoutValidation("grpc-timeout", GrpcTimeout.Format(timeout));
        foreach (MetadataEntry entry in options.Headers ?? Metadata.Empty) message.Headers.TryAddWithoutValidation(entry.Key, entry.Value);
        return message;
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        _backoff.ThrowIfWaiting();
        try
        {
            Socket socket = await _connect(cancellationToken);
            _backoff.Succeeded();
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException e)
        {
            var failure = new ConnectFailedException($"cannot connect to {Target}: {e.Message}", e);
            _backoff.Failed(failure);
            throw failure;
        }
    }

    private static async ValueTask<Socket> ConnectSocketAsync(AddressFamily family, EndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = new Socket(family, SocketType.Stream, family == AddressFamily.Unix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            if (family != AddressFamily.Unix) socket.NoDelay = true;
            await socket.ConnectAsync(endPoint, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
