using Google.Protobuf;

namespace NodeAgent.Grpc.Client;

/// <summary>Makes calls. The seam between generated-message clients and the transport.</summary>
public interface ICallInvoker
{
    /// <summary>One request, one response.</summary>
    /// <exception cref="RpcException">The call ended with a status other than OK; DEADLINE_EXCEEDED where options.Timeout passed.</exception>
    /// <exception cref="OperationCanceledException">The caller's token was cancelled; whether the peer acted is not known.</exception>
    Task<TResponse> UnaryCallAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>;

    /// <summary>One request, any number of responses. The call starts at the first MoveNextAsync and is reset when the enumerator is disposed.</summary>
    /// <exception cref="RpcException">From MoveNextAsync: the stream ended with a status other than OK.</exception>
    IAsyncEnumerable<TResponse> ServerStreaming<TRequest, TResponse>(
        Method<TRequest, TResponse> method, TRequest request, CallOptions options, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>;
}
