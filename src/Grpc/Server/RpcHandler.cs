using System.Buffers;
using Google.Protobuf;

namespace NodeAgent.Grpc.Server;

/// <summary>Sends the messages of one streaming answer. One writer at a time.</summary>
/// <typeparam name="TResponse">Response message.</typeparam>
public interface IServerStreamWriter<in TResponse>
{
    /// <summary>Sends one message; waits for the client's flow-control window.</summary>
    /// <exception cref="OperationCanceledException">The call is over.</exception>
    Task WriteAsync(TResponse message);
}

/// <summary>Decodes a request, runs the handler, and hands messages to the call.</summary>
internal abstract class RpcHandler
{
    public abstract Task InvokeAsync(ReadOnlyMemory<byte> request, ServerCallContext context, Func<IMessage, Task> send);

    protected static T Parse<T>(MessageParser<T> parser, ReadOnlyMemory<byte> request) where T : IMessage<T>
    {
        try
        {
            return parser.ParseFrom(new ReadOnlySequence<byte>(request));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"the request does not decode: {e.Message}"), e);
        }
    }
}

internal sealed class UnaryHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method, Func<TRequest, ServerCallContext, Task<TResponse>> handler) : RpcHandler
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override async Task InvokeAsync(ReadOnlyMemory<byte> request, ServerCallContext context, Func<IMessage, Task> send) =>
        await send(await handler(Parse(method.RequestParser, request), context));
}

internal sealed class StreamingHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method, Func<TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task> handler) : RpcHandler
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override Task InvokeAsync(ReadOnlyMemory<byte> request, ServerCallContext context, Func<IMessage, Task> send) =>
        handler(Parse(method.RequestParser, request), new Writer(send), context);

    private sealed class Writer(Func<IMessage, Task> send) : IServerStreamWriter<TResponse>
    {
        public Task WriteAsync(TResponse message) => send(message);
    }
}
