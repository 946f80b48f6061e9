using System.Buffers;
using System.Buffers.Binary;

namespace NodeAgent.Grpc.Server;

/// <summary>One request as it arrives: headers, then at most one length-prefixed message.</summary>
internal sealed class ServerStream(int id, string path, string authority, Metadata headers, TimeSpan? timeout) : IDisposable
{
    private byte[]? _body;
    private int _length;

    public int Id { get; } = id;

    public string Path { get; } = path;

    public string Authority { get; } = authority;

    public Metadata Headers { get; } = headers;

    public TimeSpan? Timeout { get; } = timeout;

    public CancellationTokenSource Reset { get; } = new();

    public long ReceiveWindow { get; set; }

    public bool RemoteClosed { get; set; }

    public bool HeadersSent { get; set; }

    /// <summary>Why the call will not be served; told when the request has come to its end, so that no client is cut off while it sends.</summary>
    public Status? Refusal { get; set; }

    /// <summary>Body octets thrown away after a refusal.</summary>
    public long Discarded { get; set; }

    /// <summary>Adds body octets; false where they exceed the prefix and the largest message.</summary>
    public bool TryAppend(ReadOnlySpan<byte> data, int maxMessageSize)
    {
        if (_length + data.Length > maxMessageSize + 5) return false;
        if (_body is null || _body.Length < _length + data.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_length + data.Length, 2 * _length));
            if (_body is not null)
            {
                _body.AsSpan(0, _length).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_body);
            }
            _body = larger;
        }
        data.CopyTo(_body.AsSpan(_length));
        _length += data.Length;
        return true;
    }

    /// <summary>The one message of a finished request.</summary>
    /// <exception cref="RpcException">No message, a compressed one, or a length that does not match.</exception>
    public ReadOnlyMemory<byte> Message()
    {
        if (_body is null || _length < 5) throw Wrong(StatusCode.Internal, "the request has no whole message");
        if (_body[0] != 0) throw Wrong(StatusCode.Unimplemented, "compressed requests are not supported");
        uint size = BinaryPrimitives.ReadUInt32BigEndian(_body.AsSpan(1));
        if (size != (uint)(_length - 5)) throw Wrong(StatusCode.Internal, $"the request's message says {size} bytes, {_length - 5} came");
        return _body.AsMemory(5, (int)size);
    }

    public void Dispose()
    {
        // Reset stays usable: a client's RST_STREAM may cross the end of the call. Without timer it holds nothing.
        if (Interlocked.Exchange(ref _body, null) is { } body) ArrayPool<byte>.Shared.Return(body);
    }

    private static RpcException Wrong(StatusCode code, string detail) => new(new Status(code, detail));
}
