using System.Buffers;
using System.Buffers.Binary;
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
    // Until a peer has told its limit: as many as Go's client begins with.
    private const long FirstLimit = 100;
    private const int MostTries = 4;
    private const int MostConnections = 100;
    private const int Prefix = 5;

    private readonly GrpcChannelOptions _options;
    private readonly Func<CancellationToken, ValueTask<Socket>> _connect;
    private readonly ConnectBackoff _backoff;
    private readonly Lock _lock = new();
    private ClientConnection[] _connections = [];
    private Task<Exception?>? _connecting;
    private bool _disposed;

    private GrpcChannel(string target, Func<CancellationToken, ValueTask<Socket>> connect, GrpcChannelOptions options)
    {
        Target = target;
        _connect = connect;
        _options = options;
        _backoff = new ConnectBackoff(options.Time, options.InitialBackoff, options.MaxBackoff);
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
            for (int attempt = 1; ; attempt++)
            {
                using ClientStream stream = await BeginAsync(single: true, method.FullName, request, options, call.Token);
                using CancellationTokenRegistration registration = CancelBy(stream, call.Token);
                try
                {
                    return Parse(method.ResponseParser, (await stream.ReadAsync())!.Value);
                }
                catch (NotProcessedException) when (attempt < MostTries)
                {
                    // Another connection may take it.
                }
            }
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
        ClientStream? stream = null;
        CancellationTokenRegistration registration = default;
        try
        {
            for (int attempt = 1; ;)
            {
                TResponse? next;
                try
                {
                    if (stream is null)
                    {
                        stream = await BeginAsync(single: false, method.FullName, request, options, call.Token);
                        registration = CancelBy(stream, call.Token);
                    }
                    next = await stream.ReadAsync() is { } message ? Parse(method.ResponseParser, message) : null;
                }
                catch (NotProcessedException) when (attempt++ < MostTries)
                {
                    await registration.DisposeAsync();
                    stream!.Dispose();
                    stream = null;
                    continue;
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
            await registration.DisposeAsync();
            stream?.Dispose();
        }
    }

    /// <summary>Closes all connections; calls under way fail.</summary>
    public void Dispose()
    {
        ClientConnection[] connections;
        lock (_lock)
        {
            _disposed = true;
            connections = _connections;
        }
        foreach (ClientConnection connection in connections) connection.Dispose();
    }

    private static CancellationTokenRegistration CancelBy(ClientStream stream, CancellationToken token) =>
        token.UnsafeRegister(static (state, token) => ((ClientStream)state!).Cancel(new OperationCanceledException(token)), stream);

    private static TResponse Parse<TResponse>(MessageParser<TResponse> parser, ArraySegment<byte> message)
        where TResponse : class, IMessage<TResponse>
    {
        try
        {
            return parser.ParseFrom(new ReadOnlySequence<byte>(message));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"the peer's message does not decode: {e.Message}"), e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message.Array!);
        }
    }

    private async ValueTask<ClientStream> BeginAsync(bool single, string path, IMessage request, CallOptions options, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        var stream = new ClientStream(single, _options.MaxMessageSize);
        var head = new RequestHead(path, _options.Authority, _options.UserAgent, options);
        ArraySegment<byte> body = Serialise(request);
        try
        {
            for (int closed = 0; ; )
            {
                ClientConnection[] connections = Volatile.Read(ref _connections);
                foreach (ClientConnection connection in connections)
                    if (connection.TryBegin(stream, head, body)) return stream;
                ThrowIfNoMoreMayHelp(connections);
                if (await ConnectedAsync(connections).WaitAsync(token) is { } failure) throw failure;
                if (Volatile.Read(ref _connections) is [.., { IsClosed: true }] && ++closed == MostTries)
                    throw new ConnectFailedException($"{Target} closes each connection at once", new EndOfStreamException());
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(body.Array!);
            throw;
        }
    }

    private void ThrowIfNoMoreMayHelp(ClientConnection[] connections)
    {
        if (connections is [.., { MaxStreams: 0, IsClosed: false }])
            throw new ConnectFailedException($"{Target} takes no calls (MAX_CONCURRENT_STREAMS is 0)", new IOException());
        if (connections.Length >= MostConnections && connections.Count(c => !c.IsClosed) >= MostConnections)
            throw new ConnectFailedException($"{MostConnections} connections to {Target} have no room for another call", new IOException());
    }

    private ArraySegment<byte> Serialise(IMessage request)
    {
        int size = request.CalculateSize();
        if (size > _options.MaxMessageSize)
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"trying to send message larger than max ({size} vs. {_options.MaxMessageSize})"));
        byte[] buffer = ArrayPool<byte>.Shared.Rent(size + Prefix);
        buffer[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(1), (uint)size);
        request.WriteTo(buffer.AsSpan(Prefix, size));
        return new ArraySegment<byte>(buffer, 0, size + Prefix);
    }

    // One connect at a time, which goes on for the others when a caller gives up. Its outcome: null, or why there is none.
    private Task<Exception?> ConnectedAsync(ClientConnection[] known)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!ReferenceEquals(known, _connections)) return Task.FromResult<Exception?>(null);
            if (_connecting is not { IsCompleted: false }) _connecting = ConnectAsync();
            return _connecting;
        }
    }

    private async Task<Exception?> ConnectAsync()
    {
        try
        {
            _backoff.ThrowIfWaiting();
            using var limit = new CancellationTokenSource(_options.ConnectTimeout, _options.Time);
            Add(await _connect(limit.Token).ConfigureAwait(false));
            _backoff.Succeeded();
            return null;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            string why = e is SocketException ? e.Message : $"no answer within {_options.ConnectTimeout.TotalSeconds:0.###} s";
            var failure = new ConnectFailedException($"cannot connect to {Target}: {why}", e);
            _backoff.Failed(failure);
            return failure;
        }
        catch (ConnectFailedException e)
        {
            return e;
        }
    }

    // Known to callers only once its preface is on the way: nothing may go before that.
    private void Add(Socket socket)
    {
        var connection = new ClientConnection(socket, Volatile.Read(ref _connections) is [.., { } last] ? Math.Max(1, last.MaxStreams) : FirstLimit);
        connection.Start();
        lock (_lock)
        {
            if (!_disposed)
            {
                _connections = [.. _connections.Where(c => !c.IsClosed), connection];
                return;
            }
        }
        connection.Dispose();
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
