using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Google.Protobuf;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Server;

/// <summary>Runs one handler and sends its answer: HEADERS, DATA, trailers.</summary>
internal sealed class ServerCall(ServerStream stream, FrameWriter writer, SendWindow window, GrpcServerOptions options)
{
    private readonly SemaphoreSlim _order = new(1, 1);
    private bool _ended;

    public async Task RunAsync(RpcHandler handler)
    {
        await Task.Yield();
        using CancellationTokenSource? deadline = stream.Timeout is { } timeout ? new CancellationTokenSource(Bounded(timeout), options.Time) : null;
        using CancellationTokenSource joined = CancellationTokenSource.CreateLinkedTokenSource(stream.Reset.Token, deadline?.Token ?? CancellationToken.None);
        var context = new ServerCallContext(stream.Path, stream.Authority, stream.Headers, stream.Timeout, joined.Token);
        Status status;
        try
        {
            // A handler that does not look at its token must not keep the client waiting past its deadline.
            await handler.InvokeAsync(stream.Message(), context, message => SendAsync(message, joined.Token)).WaitAsync(joined.Token);
            status = new Status(StatusCode.OK, "");
        }
        catch (RpcException e)
        {
            status = e.Status;
            foreach (MetadataEntry entry in e.Trailers) context.ResponseTrailers.Add(entry.Key, entry.Value);
        }
        catch (OperationCanceledException) when (deadline is { IsCancellationRequested: true })
        {
            status = new Status(StatusCode.DeadlineExceeded, "context deadline exceeded");
        }
        catch (OperationCanceledException)
        {
            status = new Status(StatusCode.Cancelled, "the server ended the call");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            status = new Status(StatusCode.Unknown, e.Message);
        }
        await FinishAsync(status, context.ResponseTrailers);
    }

    public async Task RefuseAsync(Status status)
    {
        await Task.Yield();
        await FinishAsync(status, Metadata.Empty);
    }

    private static TimeSpan Bounded(TimeSpan timeout) => timeout > TimeSpan.FromDays(40) ? TimeSpan.FromDays(40) : timeout;

    private async Task SendAsync(IMessage message, CancellationToken cancellationToken)
    {
        int size = message.CalculateSize();
        if (size > options.MaxMessageSize)
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"trying to send message larger than max ({size} vs. {options.MaxMessageSize})"));
        await _order.WaitAsync(cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FrameHeader.Size + 5 + size);
        try
        {
            if (_ended) throw new OperationCanceledException("the call is over");
            Span<byte> body = buffer.AsSpan(FrameHeader.Size, 5 + size);
            body[0] = 0;
            BinaryPrimitives.WriteUInt32BigEndian(body[1..], (uint)size);
            message.WriteTo(body[5..]);
            await SendHeadersAsync();
            await SendBodyAsync(buffer, 5 + size, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            _order.Release();
        }
    }

    // The nine octets before each part have been sent already (or are the headroom), so the frame header can go there.
    private async Task SendBodyAsync(byte[] buffer, int length, CancellationToken cancellationToken)
    {
        for (int sent = 0; sent < length;)
        {
            int part = await window.TakeAsync(stream.Id, Math.Min(length - sent, FrameWriter.MaxFrame), cancellationToken);
            new FrameHeader(part, FrameType.Data, 0, stream.Id).Write(buffer.AsSpan(sent));
            await writer.WriteAsync(buffer.AsMemory(sent, FrameHeader.Size + part), CancellationToken.None);
            sent += part;
        }
    }

    private async Task SendHeadersAsync()
    {
        if (stream.HeadersSent) return;
        stream.HeadersSent = true;
        var block = new HpackWriter();
        block.Status200();
        block.Add("content-type", "application/grpc");
        await writer.WriteHeadersAsync(stream.Id, block, endStream: false);
    }

    private async Task FinishAsync(Status status, Metadata trailers)
    {
        await _order.WaitAsync();
        try
        {
            _ended = true;
            if (stream.Reset.IsCancellationRequested) return;
            var block = new HpackWriter();
            if (!stream.HeadersSent)
            {
                block.Status200();
                block.Add("content-type", "application/grpc");
            }
            block.Add("grpc-status", ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture));
            if (status.Detail.Length > 0) block.Add("grpc-message", PercentEncoding.Encode(status.Detail));
            foreach (MetadataEntry entry in trailers)
                if (!entry.Key.StartsWith("grpc-", StringComparison.Ordinal) || entry.Key.EndsWith("-bin", StringComparison.Ordinal)) block.Add(entry.Key, entry.Value);
            await writer.WriteHeadersAsync(stream.Id, block, endStream: true);
            if (!stream.RemoteClosed) await writer.WriteResetAsync(stream.Id, Http2Error.NoError);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The client is gone; the connection's reader sees the same and ends.
        }
        finally
        {
            _order.Release();
        }
    }
}
