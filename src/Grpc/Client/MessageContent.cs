using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace NodeAgent.Grpc.Client;

/// <summary>One length-prefixed message as an HTTP request body; serialised into a pooled buffer when sent.</summary>
internal sealed class MessageContent : HttpContent
{
    private static readonly MediaTypeHeaderValue GrpcContentType = new("application/grpc");
    private readonly IMessage _message;
    private readonly int _size;

    public MessageContent(IMessage message, int size)
    {
        _message = message;
        _size = size;
        Headers.ContentType = GrpcContentType;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(_size + 5);
        try
        {
            buffer[0] = 0;
            BinaryPrimitives.WriteUInt32BigEndian(buffer.AsSpan(1), (uint)_size);
            _message.WriteTo(buffer.AsSpan(5, _size));
            await stream.WriteAsync(buffer.AsMemory(0, _size + 5), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
