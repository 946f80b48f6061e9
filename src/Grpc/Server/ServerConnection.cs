using System.Buffers.Binary;
using System.Collections.Concurrent;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Server;

/// <summary>One client's HTTP/2 connection: reads frames, starts calls, answers what the protocol asks for.</summary>
internal sealed class ServerConnection(Stream stream, IReadOnlyDictionary<string, RpcHandler> handlers, GrpcServerOptions options) : IDisposable
{
    private const int StreamWindow = 1 << 20;
    private const int ConnectionWindow = 4 << 20;
    private const int MaxHeaderList = 64 * 1024;
    private const long MostDiscarded = 64 << 20;
    // A client may open streams before it has read our limit, or before it has seen us count one as ended.
    private const int StreamSlack = 100;
    private readonly FrameWriter _writer = new(stream);
    private readonly SendWindow _sendWindow = new();
    private readonly HpackDecoder _hpack = new(4096, MaxHeaderList);
    private readonly ConcurrentDictionary<int, ServerStream> _streams = new();
    private readonly ConcurrentDictionary<int, Task> _calls = new();
    private readonly byte[] _frameHeader = new byte[FrameHeader.Size];
    private readonly byte[] _payload = new byte[FrameWriter.MaxFrame];
    private int _lastStreamId;
    private bool _goingAway;

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    public void Dispose()
    {
        stream.Dispose();
        _writer.Dispose();
    }

    /// <summary>Serves until the client goes, breaks the protocol, or the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ReadExactlyAsync(_payload.AsMemory(0, Preface.Length), cancellationToken);
            if (!_payload.AsSpan(0, Preface.Length).SequenceEqual(Preface)) return;
            await WriteOwnSettingsAsync();
            while (true) await HandleAsync(await ReadFrameAsync(cancellationToken), cancellationToken);
        }
        catch (Http2Exception e)
        {
            await TryGoAwayAsync(e.Code);
        }
        catch (Exception e) when (e is IOException or EndOfStreamException or ObjectDisposedException)
        {
            // The client went away: its calls are cancelled below.
        }
        catch (OperationCanceledException)
        {
            await TryGoAwayAsync(Http2Error.NoError);
        }
        finally
        {
            foreach (ServerStream call in _streams.Values) await CancelAsync(call);
            stream.Dispose();
            await Task.WhenAll(_calls.Values);
        }
    }

    /// <summary>Takes no further calls; the ones under way go on.</summary>
    public Task GoAwayAsync()
    {
        _goingAway = true;
        return TryGoAwayAsync(Http2Error.NoError);
    }

    private async Task WriteOwnSettingsAsync()
    {
        var settings = new byte[18];
        FrameHeader.WriteSetting(settings, 3, (uint)options.MaxConcurrentStreams);
        FrameHeader.WriteSetting(settings.AsSpan(6), 4, StreamWindow);
        FrameHeader.WriteSetting(settings.AsSpan(12), 6, MaxHeaderList);
        await _writer.WriteFrameAsync(FrameType.Settings, 0, 0, settings);
        await _writer.WriteWindowUpdateAsync(0, ConnectionWindow - 65535);
    }

    private async ValueTask<FrameHeader> ReadFrameAsync(CancellationToken cancellationToken)
    {
        await ReadExactlyAsync(_frameHeader, cancellationToken);
        FrameHeader frame = FrameHeader.Read(_frameHeader);
        if (frame.Length > FrameWriter.MaxFrame) throw new Http2Exception(Http2Error.FrameSizeError, $"a frame of {frame.Length} bytes");
        await ReadExactlyAsync(_payload.AsMemory(0, frame.Length), cancellationToken);
        return frame;
    }

    private ValueTask ReadExactlyAsync(Memory<byte> target, CancellationToken cancellationToken) =>
        stream.ReadExactlyAsync(target, cancellationToken);

    private Task HandleAsync(FrameHeader frame, CancellationToken cancellationToken) => frame.Type switch
    {
        FrameType.Data => HandleDataAsync(frame),
        FrameType.Headers => HandleHeadersAsync(frame, cancellationToken),
        FrameType.Settings => HandleSettingsAsync(frame),
        FrameType.Ping => HandlePingAsync(frame),
        FrameType.WindowUpdate => HandleWindowUpdateAsync(frame),
        FrameType.RstStream => HandleResetAsync(frame),
        FrameType.Continuation => throw new Http2Exception(Http2Error.ProtocolError, "CONTINUATION without HEADERS"),
        FrameType.PushPromise => throw new Http2Exception(Http2Error.ProtocolError, "PUSH_PROMISE from a client"),
        _ => Task.CompletedTask,
    };

    private async Task HandleDataAsync(FrameHeader frame)
    {
        if (frame.StreamId == 0 || frame.StreamId > _lastStreamId) throw new Http2Exception(Http2Error.ProtocolError, "DATA on an idle stream");
        (int start, int length) = frame.Unpad(_payload, 0);
        if (frame.Length > 0) await _writer.WriteWindowUpdateAsync(0, frame.Length);
        if (!_streams.TryGetValue(frame.StreamId, out ServerStream? call)) return;
        if (call.RemoteClosed)
        {
            await ResetAsync(call, Http2Error.StreamClosed);
            return;
        }
        call.ReceiveWindow -= frame.Length;
        if (call.ReceiveWindow < 0)
        {
            await ResetAsync(call, Http2Error.FlowControlError);
            return;
        }
        if (call.Refusal is null && !call.TryAppend(_payload.AsSpan(start, length), options.MaxMessageSize))
            call.Refusal = new Status(StatusCode.ResourceExhausted, $"received message larger than max ({options.MaxMessageSize})");
        if (call.Refusal is not null && (call.Discarded += frame.Length) > MostDiscarded && !frame.Has(FrameHeader.EndStream))
        {
            if (!_calls.ContainsKey(call.Id)) Start(call);
            return;
        }
        if (frame.Has(FrameHeader.EndStream))
        {
            call.RemoteClosed = true;
            if (!_calls.ContainsKey(call.Id)) Start(call);
        }
        else if (frame.Length > 0)
        {
            call.ReceiveWindow += frame.Length;
            await _writer.WriteWindowUpdateAsync(frame.StreamId, frame.Length);
        }
    }

    private async Task HandleHeadersAsync(FrameHeader frame, CancellationToken cancellationToken)
    {
        if (frame.StreamId % 2 == 0) throw new Http2Exception(Http2Error.ProtocolError, "HEADERS on an even stream");
        List<(string, string)> list = _hpack.Decode((await ReadBlockAsync(frame, cancellationToken)).Span);
        if (_streams.TryGetValue(frame.StreamId, out ServerStream? open))
        {
            if (open.RemoteClosed || !frame.Has(FrameHeader.EndStream)) throw new Http2Exception(Http2Error.ProtocolError, "HEADERS inside a request");
            open.RemoteClosed = true;
            if (!_calls.ContainsKey(open.Id)) Start(open);
            return;
        }
        if (frame.StreamId <= _lastStreamId) throw new Http2Exception(Http2Error.StreamClosed, "HEADERS on a closed stream");
        _lastStreamId = frame.StreamId;
        RequestHeaders? headers = RequestHeaders.Parse(list);
        if (headers is null)
        {
            await _writer.WriteResetAsync(frame.StreamId, Http2Error.ProtocolError);
            return;
        }
        if (Math.Max(_calls.Count, _streams.Count) >= options.MaxConcurrentStreams + StreamSlack || _goingAway)
        {
            await _writer.WriteResetAsync(frame.StreamId, Http2Error.RefusedStream);
            return;
        }
        Open(frame, headers);
    }

    private void Open(FrameHeader frame, RequestHeaders headers)
    {
        TimeSpan? timeout = headers.Fields.Get("grpc-timeout") is { } text && GrpcTimeout.TryParse(text, out TimeSpan parsed) ? parsed : null;
        var call = new ServerStream(frame.StreamId, headers.Path, headers.Authority, headers.Fields, timeout)
        {
            ReceiveWindow = StreamWindow,
            RemoteClosed = frame.Has(FrameHeader.EndStream),
        };
        _streams[call.Id] = call;
        _sendWindow.Open(call.Id);
        call.Refusal = headers.Objection()
            ?? (handlers.ContainsKey(headers.Path) ? null : new Status(StatusCode.Unimplemented, $"unknown method {headers.Path}"));
        if (call.RemoteClosed) Start(call);
    }

    private async ValueTask<ReadOnlyMemory<byte>> ReadBlockAsync(FrameHeader frame, CancellationToken cancellationToken)
    {
        (int start, int length) = frame.Unpad(_payload, frame.Has(FrameHeader.HasPriority) ? 5 : 0);
        if (frame.Has(FrameHeader.EndHeaders)) return _payload.AsMemory(start, length);
        var block = new List<byte>(_payload[start..(start + length)]);
        while (true)
        {
            FrameHeader next = await ReadFrameAsync(cancellationToken);
            if (next.Type != FrameType.Continuation || next.StreamId != frame.StreamId) throw new Http2Exception(Http2Error.ProtocolError, "a header block that is interrupted");
            block.AddRange(_payload.AsSpan(0, next.Length));
            if (block.Count > MaxHeaderList) throw new Http2Exception(Http2Error.EnhanceYourCalm, "a header block that is too long");
            if (next.Has(FrameHeader.EndHeaders)) return block.ToArray();
            if (next.Length == 0) throw new Http2Exception(Http2Error.EnhanceYourCalm, "an empty CONTINUATION");
        }
    }

    private Task HandleSettingsAsync(FrameHeader frame)
    {
        if (frame.StreamId != 0) throw new Http2Exception(Http2Error.ProtocolError, "SETTINGS on a stream");
        if (frame.Has(FrameHeader.Ack)) return frame.Length == 0 ? Task.CompletedTask : throw new Http2Exception(Http2Error.FrameSizeError, "SETTINGS ACK with a payload");
        if (frame.Length % 6 != 0) throw new Http2Exception(Http2Error.FrameSizeError, "SETTINGS of a wrong length");
        for (int i = 0; i < frame.Length; i += 6)
        {
            ushort id = BinaryPrimitives.ReadUInt16BigEndian(_payload.AsSpan(i));
            uint value = BinaryPrimitives.ReadUInt32BigEndian(_payload.AsSpan(i + 2));
            if (id != 4) continue;
            if (value > int.MaxValue) throw new Http2Exception(Http2Error.FlowControlError, "an initial window of more than 2^31-1");
            _sendWindow.SetInitial(value);
        }
        return _writer.WriteFrameAsync(FrameType.Settings, FrameHeader.Ack, 0, []);
    }

    private Task HandlePingAsync(FrameHeader frame)
    {
        if (frame.Length != 8) throw new Http2Exception(Http2Error.FrameSizeError, "PING of a wrong length");
        return frame.Has(FrameHeader.Ack) ? Task.CompletedTask : _writer.WriteFrameAsync(FrameType.Ping, FrameHeader.Ack, 0, _payload.AsSpan(0, 8));
    }

    private Task HandleWindowUpdateAsync(FrameHeader frame)
    {
        if (frame.Length != 4) throw new Http2Exception(Http2Error.FrameSizeError, "WINDOW_UPDATE of a wrong length");
        int increment = (int)(BinaryPrimitives.ReadUInt32BigEndian(_payload) & 0x7fffffff);
        if (increment == 0) throw new Http2Exception(Http2Error.ProtocolError, "WINDOW_UPDATE of 0");
        if (_sendWindow.TryAdd(frame.StreamId, increment)) return Task.CompletedTask;
        if (frame.StreamId == 0) throw new Http2Exception(Http2Error.FlowControlError, "a connection window of more than 2^31-1");
        return _streams.TryGetValue(frame.StreamId, out ServerStream? call) ? ResetAsync(call, Http2Error.FlowControlError) : Task.CompletedTask;
    }

    private Task HandleResetAsync(FrameHeader frame)
    {
        if (frame.Length != 4) throw new Http2Exception(Http2Error.FrameSizeError, "RST_STREAM of a wrong length");
        if (frame.StreamId == 0 || frame.StreamId > _lastStreamId) throw new Http2Exception(Http2Error.ProtocolError, "RST_STREAM on an idle stream");
        return _streams.TryGetValue(frame.StreamId, out ServerStream? call) ? CancelAsync(call) : Task.CompletedTask;
    }

    private async Task ResetAsync(ServerStream call, Http2Error code)
    {
        await _writer.WriteResetAsync(call.Id, code);
        await CancelAsync(call);
    }

    // A stream whose request never ended has no call that would dispose of it.
    private async Task CancelAsync(ServerStream call)
    {
        if (!_streams.TryRemove(call.Id, out _)) return;
        _sendWindow.Close(call.Id);
        await call.Reset.CancelAsync();
        if (!_calls.ContainsKey(call.Id)) call.Dispose();
    }

    private void Start(ServerStream call)
    {
        var answer = new ServerCall(call, _writer, _sendWindow, options);
        Track(call, call.Refusal is { } refusal ? answer.RefuseAsync(refusal) : answer.RunAsync(handlers[call.Path]));
    }

    private void Track(ServerStream call, Task run)
    {
        _calls[call.Id] = run;
        run.ContinueWith(
            _ =>
            {
                _streams.TryRemove(call.Id, out ServerStream? _);
                _calls.TryRemove(call.Id, out Task? _);
                _sendWindow.Close(call.Id);
                call.Dispose();
            },
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task TryGoAwayAsync(Http2Error code)
    {
        try
        {
            await _writer.WriteGoAwayAsync(_lastStreamId, code);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Nobody is left to be told.
        }
    }
}
