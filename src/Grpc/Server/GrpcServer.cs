using System.Collections.Concurrent;
using System.Net.Sockets;
using Google.Protobuf;

namespace NodeAgent.Grpc.Server;

/// <summary>
/// A gRPC server on a Unix socket: unary and server-streaming calls, identity compression, any :authority (ASP.NET's server refuses the
/// socket paths that Kubernetes plugins send there). Add all methods, then start.
/// </summary>
public sealed class GrpcServer(GrpcServerOptions? options = null) : IAsyncDisposable
{
    private readonly GrpcServerOptions _options = options ?? new GrpcServerOptions();
    private readonly Dictionary<string, RpcHandler> _handlers = [];
    private readonly ConcurrentDictionary<ServerConnection, Task> _connections = new();
    private readonly CancellationTokenSource _stop = new();
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;
    private string? _path;

    /// <summary>Serves a unary method. A handler throws <see cref="RpcException"/> for a status; any other exception is UNKNOWN.</summary>
    public GrpcServer AddUnary<TRequest, TResponse>(Method<TRequest, TResponse> method, Func<TRequest, ServerCallContext, Task<TResponse>> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        _handlers.Add(method.FullName, new UnaryHandler<TRequest, TResponse>(method, handler));
        return this;
    }

    /// <summary>Serves a server-streaming method; the stream ends with the handler.</summary>
    public GrpcServer AddServerStreaming<TRequest, TResponse>(
        Method<TRequest, TResponse> method, Func<TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task> handler)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        _handlers.Add(method.FullName, new StreamingHandler<TRequest, TResponse>(method, handler));
        return this;
    }

    /// <summary>Binds the socket and accepts clients. A socket file that is there already is replaced.</summary>
    /// <param name="socketPath">Absolute path; its folder must exist.</param>
    /// <exception cref="IOException">The path exists and is no socket.</exception>
    /// <exception cref="SocketException">The socket cannot be bound.</exception>
    public void Start(string socketPath)
    {
        if (_listener is not null) throw new InvalidOperationException("the server is started");
        if (File.Exists(socketPath) && new FileInfo(socketPath).Length > 0)
            throw new IOException($"{socketPath} exists and is no socket; remove it or choose another path");
        File.Delete(socketPath);
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(socketPath));
        File.SetUnixFileMode(socketPath, _options.SocketMode);
        _listener.Listen(128);
        _path = socketPath;
        _accepting = AcceptAsync(_listener, _stop.Token);
    }

    /// <summary>Takes no new calls, gives those under way the time stated, then closes everything and removes the socket file.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        _listener?.Dispose();
        if (_path is not null) File.Delete(_path);
        foreach (ServerConnection connection in _connections.Keys) await connection.GoAwayAsync();
        if (grace > TimeSpan.Zero && !_connections.IsEmpty)
            await Task.WhenAny(Task.WhenAll(_connections.Values), Task.Delay(grace, _options.Time));
        await _stop.CancelAsync();
        await _accepting;
        await Task.WhenAll(_connections.Values);
    }

    /// <summary>Stops without grace.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _stop.Dispose();
    }

    private async Task AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        using var places = new SemaphoreSlim(_options.MaxConnections);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await places.WaitAsync(cancellationToken);
                Socket client = await listener.AcceptAsync(cancellationToken);
                Serve(client, places, cancellationToken);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException || (e is SocketException && _stop.IsCancellationRequested))
            {
                break;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted or SocketError.InvalidArgument)
            {
                break;
            }
            catch (SocketException)
            {
                // One client's accept failed (it went away, or descriptors ran out): the next one may do better.
                places.Release();
                await Task.Delay(TimeSpan.FromMilliseconds(50), _options.Time, CancellationToken.None);
            }
        }
        await Task.WhenAll(_connections.Values);
    }

    private void Serve(Socket client, SemaphoreSlim places, CancellationToken cancellationToken)
    {
        var connection = new ServerConnection(new NetworkStream(client, ownsSocket: true), _handlers, _options);
        var listed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _connections[connection] = RunAsync();
        listed.SetResult();

        async Task RunAsync()
        {
            await listed.Task;
            try
            {
                await connection.RunAsync(cancellationToken);
            }
            finally
            {
                connection.Dispose();
                _connections.TryRemove(connection, out _);
                places.Release();
            }
        }
    }
}
