using System.Runtime.CompilerServices;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri.Events;
using NodeAgent.Cri.V1;
using NodeAgent.Grpc;
using NodeAgent.Grpc.Client;

namespace NodeAgent.Cri.Connection;

/// <summary>
/// The connection to one runtime socket. It is made at the first call and again after a loss, with back-off (100 ms to 3 s); in between
/// calls fail at once as Unavailable. One warning tells that the runtime is gone, one line that it is back.
/// </summary>
public sealed class CriConnection : IDisposable
{
    /// <summary>The version argument that CRI.Version is called with (the kubelet's own API version).</summary>
    public const string KubeletApiVersion = "0.1.0";

    private readonly ICallInvoker _invoker;
    private readonly GrpcChannel? _channel;
    private readonly CriConnectionOptions _options;
    private readonly ConnectionLog _log;

    /// <summary>A connection that is made when first used.</summary>
    public CriConnection(CriEndpoint endpoint, CriConnectionOptions options, ILogger<CriConnection> logger)
        : this(endpoint, options, logger, NewChannel(endpoint, options))
    {
        _channel = (GrpcChannel)_invoker;
    }

    internal CriConnection(CriEndpoint endpoint, CriConnectionOptions options, ILogger logger, ICallInvoker invoker)
    {
        Endpoint = endpoint;
        _options = options;
        _invoker = invoker;
        Logger = logger;
        _log = new ConnectionLog(endpoint, options.Flag, logger);
    }

    /// <summary>Where the runtime is.</summary>
    public CriEndpoint Endpoint { get; }

    /// <summary>Limits of each call.</summary>
    public CriTimeLimits Limits => _options.Limits;

    /// <summary>False from the first call that could not reach the runtime until one reaches it again; true at first.</summary>
    public bool IsReachable => _log.IsReachable;

    /// <summary>Makes sure the runtime serves CRI v1.</summary>
    /// <returns>The runtime's name and versions.</returns>
    /// <exception cref="CriException">Not reachable, or CRI v1 is not served; the message names flag and remedy.</exception>
    public async Task<VersionResponse> NegotiateAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await new RuntimeServiceClient(this).VersionAsync(new VersionRequest { Version = KubeletApiVersion }, cancellationToken);
        }
        catch (CriException e) when (e.Kind == CriErrorKind.Unimplemented)
        {
            throw new CriException(e.Rpc, e.Kind,
                $"the runtime at {Endpoint} does not serve CRI v1 ({e.Detail}); enable its CRI plugin, use containerd 1.6 or later or CRI-O 1.26 or later, or set {_options.Flag} to another socket", e.InnerException);
        }
        catch (CriException e) when (e.Kind == CriErrorKind.Unavailable)
        {
            throw new CriException(e.Rpc, e.Kind, $"{e.Detail}; {ConnectionLog.Remedy(_options.Flag)}", e.InnerException);
        }
    }

    internal ILogger Logger { get; }

    /// <inheritdoc/>
    public void Dispose() => _channel?.Dispose();

    internal Task<TResponse> ReadAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string operation, TimeSpan? limit, TRequest request, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        CallAsync(method, operation, new CallOptions(limit), request, cancellationToken);

    // A call of containerd's own services, which ask for the namespace in a header; ended by its limit only.
    internal Task<TResponse> CallContainerdAsync<TRequest, TResponse>(Method<TRequest, TResponse> method, string operation, TimeSpan limit, TRequest request)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        var headers = new Metadata();
        headers.Add("containerd-namespace", EventMapping.KubernetesNamespace);
        return CallAsync(method, operation, new CallOptions(limit, headers), request, CancellationToken.None);
    }

    private async Task<TResponse> CallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string operation, CallOptions options, TRequest request, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        long start = _options.Time.GetTimestamp();
        try
        {
            TResponse response = await _invoker.UnaryCallAsync(method, request, options, cancellationToken);
            _log.Answered();
            _options.Observer?.Ended(operation, _options.Time.GetElapsedTime(start), null);
            return response;
        }
        catch (RpcException e)
        {
            CriException error = Judge(method.Name, e);
            _options.Observer?.Ended(operation, _options.Time.GetElapsedTime(start), error.Kind);
            throw error;
        }
    }

    // What the runtime began to change must be seen to its end: an abandoned CreateContainer would leave a container nobody knows.
    internal Task<TResponse> ChangeAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string operation, TimeSpan? limit, TRequest request, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        cancellationToken.IsCancellationRequested
            ? Task.FromCanceled<TResponse>(cancellationToken)
            : ReadAsync(method, operation, limit, request, CancellationToken.None);

    internal async IAsyncEnumerable<TResponse> Stream<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string operation, TRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        long start = _options.Time.GetTimestamp();
        CriErrorKind? failure = null;
        IAsyncEnumerator<TResponse> responses = _invoker.ServerStreaming(method, request, default, cancellationToken).GetAsyncEnumerator(cancellationToken);
        try
        {
            while (true)
            {
                try
                {
                    if (!await responses.MoveNextAsync()) yield break;
                    _log.Answered();
                }
                catch (RpcException e)
                {
                    CriException error = Judge(method.Name, e);
                    failure = error.Kind;
                    throw error;
                }
                yield return responses.Current;
            }
        }
        finally
        {
            await responses.DisposeAsync();
            _options.Observer?.Ended(operation, _options.Time.GetElapsedTime(start), failure);
        }
    }

    private CriException Judge(string rpc, RpcException error)
    {
        CriException result = CriException.From(rpc, error);
        if (result.Kind == CriErrorKind.Unavailable) _log.Unreachable(result.Detail);
        else if (result.Kind != CriErrorKind.DeadlineExceeded) _log.Answered();
        return result;
    }

    private static GrpcChannel NewChannel(CriEndpoint endpoint, CriConnectionOptions options) =>
        GrpcChannel.ForUnixSocket(endpoint.Path, new GrpcChannelOptions { Time = options.Time, MaxBackoff = options.MaxBackoff });
}
