using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace NodeAgent.Grpc.Client;

/// <summary>Reads length-prefixed messages and the final status from one HTTP response.</summary>
internal sealed class ResponseReader<TResponse>(
    HttpResponseMessage response, MessageParser<TResponse> parser, int maxMessageSize) : IDisposable
    where TResponse : class, IMessage<TResponse>
{
    private readonly byte[] _prefix = new byte[5];
    private Stream? _body;

    public void Dispose() => response.Dispose();

    public void CheckHeaders()
    {
        if (HasStatus(response.Headers)) return;
        int http = (int)response.StatusCode;
        if (http != 200) throw Failure(TransportErrors.OfHttpStatus(http), $"HTTP status {http} instead of 200");
        string? type = response.Content.Headers.ContentType?.MediaType;
        if (type is null || !type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase))
            throw Failure(StatusCode.Unknown, $"content type \"{type}\" instead of application/grpc: the peer is no gRPC server");
    }

    /// <summary>The next message, or null where the body ended.</summary>
    public async ValueTask<TResponse?> ReadAsync(CancellationToken cancellationToken)
    {
        _body ??= await response.Content.ReadAsStreamAsync(cancellationToken);
        int have = await _body.ReadAtLeastAsync(_prefix, 5, throwOnEndOfStream: false, cancellationToken);
        if (have == 0) return null;
        if (have < 5) throw Truncated();
        if (_prefix[0] != 0)
            throw Failure(_prefix[0] == 1 ? StatusCode.Unimplemented : StatusCode.Internal, "the peer compressed a message although only identity was offered");
        uint size = BinaryPrimitives.ReadUInt32BigEndian(_prefix.AsSpan(1));
        if (size > (uint)maxMessageSize)
            throw Failure(StatusCode.ResourceExhausted, $"received message larger than max ({size} vs. {maxMessageSize})");
        return await ReadMessageAsync(_body, (int)size, cancellationToken);
    }

    /// <summary>Throws unless the call ended with OK. Valid after the body ended.</summary>
    public void ThrowUnlessOK()
    {
        HttpResponseHeaders source = HasStatus(response.TrailingHeaders) ? response.TrailingHeaders : response.Headers;
        if (!HasStatus(source)) throw Failure(StatusCode.Internal, "the peer closed the stream without sending trailers");
        string text = First(source, "grpc-status") ?? "";
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code))
            throw Failure(StatusCode.Unknown, $"malformed grpc-status \"{text}\"");
        if (code == 0) return;
        StatusCode known = code <= 16 ? (StatusCode)code : StatusCode.Unknown;
        throw new RpcException(new Status(known, PercentEncoding.Decode(First(source, "grpc-message") ?? "")), ToMetadata(source));
    }

    private async ValueTask<TResponse> ReadMessageAsync(Stream body, int size, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(size, 1));
        try
        {
            int have = await body.ReadAtLeastAsync(buffer.AsMemory(0, size), size, throwOnEndOfStream: false, cancellationToken);
            if (have < size) throw Truncated();
            return parser.ParseFrom(new ReadOnlySequence<byte>(buffer, 0, size));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"the peer's message does not decode: {e.Message}"), e);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // A body that ends inside a message: where the peer also sent a status, that status is the better answer.
    private RpcException Truncated()
    {
        if (HasStatus(response.TrailingHeaders))
        {
            try
            {
                ThrowUnlessOK();
            }
            catch (RpcException e)
            {
                return e;
            }
        }
        return Failure(StatusCode.Internal, "the response ended inside a message");
    }

    private RpcException Failure(StatusCode code, string detail) => new(new Status(code, detail), ToMetadata(response.Headers));

    private static bool HasStatus(HttpResponseHeaders headers) => headers.NonValidated.Contains("grpc-status");

    private static string? First(HttpResponseHeaders headers, string name)
    {
        if (!headers.NonValidated.TryGetValues(name, out HeaderStringValues values)) return null;
        foreach (string value in values) return value;
        return null;
    }

    private static Metadata ToMetadata(HttpResponseHeaders headers)
    {
        Metadata metadata = Metadata.Empty;
        foreach (KeyValuePair<string, HeaderStringValues> header in headers.NonValidated)
            foreach (string value in header.Value) metadata.Add(header.Key, value);
        return metadata;
    }
}
