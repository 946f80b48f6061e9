using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Client;

/// <summary>
/// One HTTP/2 connection as its client (RFC 9113). A request goes out by the thread that makes it, unless another is sending just then: that one
/// takes it along. What arrives is read by whichever thread of the pool is told of it; once the next read is posted, that same thread goes on with
/// the caller whose answer came. So a call costs one waking of a thread, where its answer comes.
/// </summary>
internal sealed class ClientConnection : IDisposable
{
    private const int MaxFrame = FrameWriter.MaxFrame;
    private const int InputSize = 32 * 1024;   // more than a frame
    private const int MaxHeaderList = 64 * 1024;
    private const int ConnectionWindow = 16 * 1024 * 1024;

    // A peer that takes nothing any more: what waits for it must not grow without end. Bytes.
    private const int MostUnsent = 32 * 1024 * 1024;

    // A peer that asks for answers and takes none: how many may wait. One read brings fewer than half as many.
    private const int MostAcknowledgements = 10_000;

    private readonly Lock _gate = new();
    private readonly Socket _socket;
    private readonly SocketAsyncEventArgs _receive;
    private readonly byte[] _input = ArrayPool<byte>.Shared.Rent(InputSize);
    private readonly HpackDecoder _hpack = new(4096, MaxHeaderList);
    private readonly HpackWriter _block = new();
    private readonly Dictionary<int, ClientStream> _streams = [];
    private OutputBuffer _output = new();
    private OutputBuffer _spare = new();
    private bool _writing;
    private long _sendWindow = 65535;
    private long _initialSendWindow = 65535;
    private long _maxStreams;
    private int _nextId = 1;
    private int _credit;
    private int _acknowledgements;
    private bool _goingAway;
    private Exception? _closed;
    private int _inputStart;
    private int _inputEnd;
    private (int Id, bool EndStream)? _blockOf;
    private readonly List<byte> _blockSoFar = [];
    private List<ClientStream>? _ready;
    private bool _knowsSettings;

    /// <param name="socket">Connected; owned from here on.</param>
    /// <param name="maxStreams">How many calls at once the peer allows, as far as is known.</param>
    public ClientConnection(Socket socket, long maxStreams)
    {
        _socket = socket;
        _maxStreams = maxStreams;
        _receive = new SocketAsyncEventArgs(true);
        _receive.Completed += (_, _) => Receive();
    }

    /// <summary>How many calls at once the peer allows.</summary>
    public long MaxStreams => Volatile.Read(ref _maxStreams);

    /// <summary>True once the connection is gone.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_gate) return _closed is not null;
        }
    }

    /// <summary>Sends preface and settings and begins to read.</summary>
    public void Start()
    {
        lock (_gate)
        {
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.CopyTo(_output.Grow(24));
            Span<byte> settings = _output.Frame(FrameType.Settings, 0, 0, 18);
            FrameHeader.WriteSetting(settings, 2, 0);   // ENABLE_PUSH
            FrameHeader.WriteSetting(settings[6..], 4, ClientStream.Window);
            FrameHeader.WriteSetting(settings[12..], 6, MaxHeaderList);
            _output.Number(FrameType.WindowUpdate, 0, ConnectionWindow - 65535);
            _writing = true;
        }
        Send();
        PostRead();
    }

    /// <summary>Begins a call; false where the connection takes no further one now, and nothing has happened.</summary>
    /// <param name="stream">The call; told of all that comes.</param>
    /// <param name="head">The request's headers.</param>
    /// <param name="body">The request's body in a rented buffer, which is the connection's from a true answer on.</param>
    public bool TryBegin(ClientStream stream, in RequestHead head, ArraySegment<byte> body)
    {
        bool stuck, taken;
        (bool, bool) next = default;
        lock (_gate)
        {
            stuck = _output.Length > MostUnsent;
            taken = !stuck && _closed is null && !_goingAway && _streams.Count < _maxStreams && _nextId <= int.MaxValue - 2;
            if (taken)
            {
                stream.Begin(this, _nextId, _initialSendWindow, body);
                _nextId += 2;
                _streams.Add(stream.Id, stream);
                _block.Clear();
                head.Write(_block);
                FrameWriter.Layout(stream.Id, _block.Written, endStream: false, _output.Grow(FrameWriter.LayoutSize(_block.Length)));
                SendBody(stream);
                next = Next();
            }
        }
        if (stuck) Close(Unsent());
        Do(next);
        return taken;
    }

    /// <summary>Ends a call that is under way: its stream is reset and its reader told why.</summary>
    public void End(ClientStream stream, Exception why)
    {
        (bool, bool) next;
        lock (_gate)
        {
            if (!stream.Fail(why)) return;
            Reset(stream, Http2Error.Cancel);
            next = Next();
        }
        stream.WakeOnPool();
        Do(next);
    }

    /// <summary>A reader has left: its stream is reset if it has not ended.</summary>
    public void Leave(ClientStream stream)
    {
        (bool, bool) next;
        lock (_gate)
        {
            stream.ForgetMessages();
            if (!stream.Fail(new OperationCanceledException("the reader has left"))) return;
            Reset(stream, Http2Error.Cancel);
            next = Next();
        }
        Do(next);
    }

    /// <summary>What the next step of a call's reader may be.</summary>
    public T Read<T>(ClientStream stream, Func<ClientStream, T> step)
    {
        T result;
        (bool, bool) next;
        lock (_gate)
        {
            result = step(stream);
            int credit = stream.TakeCredit();
            if (credit > 0 && _streams.ContainsKey(stream.Id)) _output.Number(FrameType.WindowUpdate, stream.Id, credit);
            next = Next();
        }
        Do(next);
        return result;
    }

    /// <summary>Ends the connection and with it all calls under way.</summary>
    public void Dispose() => Close(new ObjectDisposedException(nameof(GrpcChannel)));

    // ---- sending; all but Send under the gate

    // As much of the request as the windows let through; the rest follows when they open.
    private void SendBody(ClientStream stream)
    {
        while (stream.Unsent.Count > 0)
        {
            int length = (int)Math.Min(Math.Min(stream.Unsent.Count, MaxFrame), Math.Min(_sendWindow, stream.SendWindow));
            if (length <= 0) return;
            bool last = length == stream.Unsent.Count;
            stream.Unsent.AsSpan(0, length).CopyTo(_output.Frame(FrameType.Data, last ? FrameHeader.EndStream : (byte)0, stream.Id, length));
            _sendWindow -= length;
            stream.Sent(length);
        }
    }

    private void Reset(ClientStream stream, Http2Error code)
    {
        if (_streams.Remove(stream.Id)) _output.Number(FrameType.RstStream, stream.Id, (int)code);
    }

    // What is to be done outside the gate by the one who asked: to send, or to close what is going away and has no calls left.
    private (bool Send, bool Close) Next()
    {
        bool send = !_writing && _output.Length > 0 && _closed is null;
        _writing |= send;
        return (send, _goingAway && _closed is null && _streams.Count == 0);
    }

    private void Do((bool Send, bool Close) next)
    {
        if (next.Send) Send();
        if (next.Close) Close(new EndOfStreamException("the peer is going away (GOAWAY)"));
    }

    // Whoever calls has set _writing; it runs until nothing waits. Nearly always the socket takes all at once and nothing is awaited.
    private void Send() => _ = SendAsync();

    private async Task SendAsync()
    {
        try
        {
            while (true)
            {
                OutputBuffer batch;
                lock (_gate)
                {
                    if (_output.Length == 0 || _closed is not null)
                    {
                        _writing = false;
                        return;
                    }
                    batch = _output;
                    _output = _spare;
                    _spare = batch;
                    _acknowledgements = 0;
                }
                ReadOnlyMemory<byte> rest = batch.Written;
                while (!rest.IsEmpty) rest = rest[await _socket.SendAsync(rest, SocketFlags.None).ConfigureAwait(false)..];
                batch.Clear();
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.Shutdown or SocketError.ConnectionReset)
        {
            // The peer has left, but what it said before is still to be read: the reading ends the connection. _writing stays: nothing more is sent.
            (bool, bool) next;
            lock (_gate)
            {
                _goingAway = true;
                next = Next();
            }
            Do(next);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Close(e);
        }
    }

    // ---- receiving: one thread at a time

    private void PostRead()
    {
        try
        {
            _receive.SetBuffer(_input, _inputEnd, _input.Length - _inputEnd);
            if (!_socket.ReceiveAsync(_receive)) ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.Receive(), this, preferLocal: false);
        }
        catch (ObjectDisposedException e)
        {
            EndReading(e);
        }
    }

    private void Receive()
    {
        while (true)
        {
            if (!TakeInput()) return;
            // From the next line on another thread may be reading: what is woken is taken before.
            List<ClientStream>? ready = _ready;
            _ready = null;
            bool pending;
            try
            {
                _receive.SetBuffer(_input, _inputEnd, _input.Length - _inputEnd);
                pending = _socket.ReceiveAsync(_receive);
            }
            catch (ObjectDisposedException e)
            {
                ClientStream.WakeAll(ready, here: false);
                EndReading(e);
                return;
            }
            ClientStream.WakeAll(ready, here: pending);
            if (pending) return;
        }
    }

    private bool TakeInput()
    {
        if (_receive.SocketError != SocketError.Success)
        {
            EndReading(new SocketException((int)_receive.SocketError));
            return false;
        }
        if (_receive.BytesTransferred == 0)
        {
            EndReading(new EndOfStreamException("the peer closed the connection"));
            return false;
        }
        _inputEnd += _receive.BytesTransferred;
        (bool, bool) next;
        try
        {
            lock (_gate)
            {
                if (_closed is null) HandleFrames();
                next = Next();
            }
        }
        catch (Exception e) when (e is Http2Exception or IOException)
        {
            EndReading(e);
            return false;
        }
        Do(next);
        return true;
    }

    private void EndReading(Exception why)
    {
        ClientStream.WakeAll(_ready, here: false);
        _ready = null;
        Close(why);
        _receive.Dispose();
        ArrayPool<byte>.Shared.Return(_input);
    }

    private void HandleFrames()
    {
        while (_inputEnd - _inputStart >= FrameHeader.Size)
        {
            FrameHeader frame = FrameHeader.Read(_input.AsSpan(_inputStart));
            if (frame.Length > MaxFrame) throw new Http2Exception(Http2Error.FrameSizeError, $"a frame of {frame.Length} bytes");
            if (_inputEnd - _inputStart < FrameHeader.Size + frame.Length) break;
            Handle(frame, _input.AsSpan(_inputStart + FrameHeader.Size, frame.Length));
            _inputStart += FrameHeader.Size + frame.Length;
        }
        int left = _inputEnd - _inputStart;
        if (left > 0 && _inputStart > 0) _input.AsSpan(_inputStart, left).CopyTo(_input);
        _inputStart = 0;
        _inputEnd = left;
    }

    private void Handle(FrameHeader frame, Span<byte> payload)
    {
        if (_blockOf is not null && frame.Type != FrameType.Continuation) throw Wrong("a header block that is interrupted");
        switch (frame.Type)
        {
            case FrameType.Data:
                HandleData(frame, payload);
                break;
            case FrameType.Headers:
                CheckKnown(frame);
                (int start, int length) = frame.Unpad(payload, frame.Has(FrameHeader.HasPriority) ? 5 : 0);
                HandleBlock(frame, payload.Slice(start, length), (frame.StreamId, frame.Has(FrameHeader.EndStream)));
                break;
            case FrameType.Continuation:
                if (_blockOf is not { } of || of.Id != frame.StreamId) throw Wrong("CONTINUATION without HEADERS");
                HandleBlock(frame, payload, of);
                break;
            case FrameType.Settings:
                HandleSettings(frame, payload);
                break;
            case FrameType.Ping:
                if (payload.Length != 8) throw new Http2Exception(Http2Error.FrameSizeError, "PING of a wrong length");
                if (!frame.Has(FrameHeader.Ack)) payload.CopyTo(Acknowledge(FrameType.Ping, 8));
                break;
            case FrameType.WindowUpdate:
                HandleWindowUpdate(frame, payload);
                break;
            case FrameType.RstStream:
                CheckKnown(frame);
                if (payload.Length != 4) throw new Http2Exception(Http2Error.FrameSizeError, "RST_STREAM of a wrong length");
                HandleReset(frame.StreamId, BinaryPrimitives.ReadUInt32BigEndian(payload));
                break;
            case FrameType.GoAway:
                HandleGoAway(payload);
                break;
            case FrameType.PushPromise:
                throw Wrong("PUSH_PROMISE although push is off");
            default:
                break;   // PRIORITY and what is not known
        }
        if (_output.Length > MostUnsent) throw Unsent();
    }

    private void CheckKnown(FrameHeader frame)
    {
        if (frame.StreamId % 2 == 0 || frame.StreamId >= _nextId) throw Wrong($"{frame.Type} on stream {frame.StreamId}, which we did not open");
    }

    private void HandleData(FrameHeader frame, Span<byte> payload)
    {
        CheckKnown(frame);
        (int start, int length) = frame.Unpad(payload, 0);
        _credit += frame.Length;
        if (_credit >= ConnectionWindow / 2)
        {
            _output.Number(FrameType.WindowUpdate, 0, _credit);
            _credit = 0;
        }
        if (!_streams.TryGetValue(frame.StreamId, out ClientStream? stream)) return;
        if (!stream.Receive(payload.Slice(start, length), frame.Length))
        {
            Reset(stream, Http2Error.Cancel);
        }
        else if (frame.Has(FrameHeader.EndStream))
        {
            EndByPeer(stream, null);
        }
        else if (stream.TakeCredit() is > 0 and int credit)
        {
            _output.Number(FrameType.WindowUpdate, stream.Id, credit);
        }
        Note(stream);
    }

    private void HandleBlock(FrameHeader frame, Span<byte> fragment, (int Id, bool EndStream) of)
    {
        List<(string, string)> headers;
        if (frame.Has(FrameHeader.EndHeaders) && _blockSoFar.Count == 0)
        {
            headers = _hpack.Decode(fragment);
        }
        else
        {
            if (_blockSoFar.Count + fragment.Length > MaxHeaderList) throw new Http2Exception(Http2Error.EnhanceYourCalm, "a header block that is too long");
            if (fragment.IsEmpty && !frame.Has(FrameHeader.EndHeaders)) throw new Http2Exception(Http2Error.EnhanceYourCalm, "an empty part of a header block");
            _blockSoFar.AddRange(fragment);
            _blockOf = of;
            if (!frame.Has(FrameHeader.EndHeaders)) return;
            headers = _hpack.Decode(_blockSoFar.ToArray());
            _blockSoFar.Clear();
        }
        _blockOf = null;
        if (!_streams.TryGetValue(of.Id, out ClientStream? stream)) return;
        if (!stream.Receive(headers, of.EndStream)) Reset(stream, Http2Error.Cancel);
        else if (of.EndStream) EndByPeer(stream, null);
        Note(stream);
    }

    // Where the peer ended before it had our whole request, the rest of that is not sent.
    private void EndByPeer(ClientStream stream, Exception? why)
    {
        if (stream.Unsent.Count > 0) Reset(stream, Http2Error.NoError);
        _streams.Remove(stream.Id);
        stream.EndedByPeer(why);
    }

    private void HandleReset(int id, uint code)
    {
        if (!_streams.Remove(id, out ClientStream? stream)) return;
        stream.EndedByPeer(code == (uint)Http2Error.RefusedStream
            ? new NotProcessedException("the peer refused the stream (REFUSED_STREAM)")
            : new StreamResetException(code));
        Note(stream);
    }

    private void HandleGoAway(Span<byte> payload)
    {
        if (payload.Length < 8) throw new Http2Exception(Http2Error.FrameSizeError, "GOAWAY of a wrong length");
        int last = (int)(BinaryPrimitives.ReadUInt32BigEndian(payload) & 0x7fffffff);
        _goingAway = true;
        foreach (ClientStream stream in _streams.Values.Where(s => s.Id > last).ToArray())
        {
            _streams.Remove(stream.Id);
            stream.EndedByPeer(new NotProcessedException("the peer is going away (GOAWAY)"));
            Note(stream);
        }
    }

    private void HandleSettings(FrameHeader frame, Span<byte> payload)
    {
        if (frame.StreamId != 0) throw Wrong("SETTINGS on a stream");
        if (frame.Has(FrameHeader.Ack)) return;
        if (payload.Length % 6 != 0) throw new Http2Exception(Http2Error.FrameSizeError, "SETTINGS of a wrong length");
        // A peer that names no limit has none; until its first word we are modest.
        if (!_knowsSettings) Volatile.Write(ref _maxStreams, uint.MaxValue);
        _knowsSettings = true;
        for (; payload.Length > 0; payload = payload[6..])
        {
            uint value = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            switch (BinaryPrimitives.ReadUInt16BigEndian(payload))
            {
                case 3:
                    Volatile.Write(ref _maxStreams, value);
                    break;
                case 4:
                    if (value > int.MaxValue) throw new Http2Exception(Http2Error.FlowControlError, "an initial window of more than 2^31-1");
                    foreach (ClientStream stream in _streams.Values) stream.SendWindow += value - _initialSendWindow;
                    _initialSendWindow = value;
                    break;
                default:
                    break;
            }
        }
        Acknowledge(FrameType.Settings, 0);
        SendWaitingBodies();
    }

    private void HandleWindowUpdate(FrameHeader frame, Span<byte> payload)
    {
        if (payload.Length != 4) throw new Http2Exception(Http2Error.FrameSizeError, "WINDOW_UPDATE of a wrong length");
        int increment = (int)(BinaryPrimitives.ReadUInt32BigEndian(payload) & 0x7fffffff);
        if (frame.StreamId == 0)
        {
            if (increment == 0) throw Wrong("WINDOW_UPDATE of 0");
            _sendWindow += increment;
            if (_sendWindow > int.MaxValue) throw new Http2Exception(Http2Error.FlowControlError, "a connection window of more than 2^31-1");
            SendWaitingBodies();
            return;
        }
        CheckKnown(frame);
        if (!_streams.TryGetValue(frame.StreamId, out ClientStream? stream)) return;
        stream.SendWindow += increment;
        if (increment == 0 || stream.SendWindow > int.MaxValue)
        {
            stream.Fail(new Http2Exception(increment == 0 ? Http2Error.ProtocolError : Http2Error.FlowControlError, $"WINDOW_UPDATE of {increment}"));
            Reset(stream, Http2Error.FlowControlError);
            Note(stream);
            return;
        }
        SendBody(stream);
    }

    private Span<byte> Acknowledge(FrameType type, int length) => ++_acknowledgements <= MostAcknowledgements
        ? _output.Frame(type, FrameHeader.Ack, 0, length)
        : throw new Http2Exception(Http2Error.EnhanceYourCalm, $"{MostAcknowledgements} answers to {type} that the peer does not take");

    private void SendWaitingBodies()
    {
        foreach (ClientStream stream in _streams.Values) SendBody(stream);
    }

    // To be woken once the next read is posted.
    private void Note(ClientStream stream)
    {
        if (stream.IsAwaited) (_ready ??= []).Add(stream);
    }

    private static IOException Unsent() => new($"the peer does not take what is sent: more than {MostUnsent} bytes wait");

    private static Http2Exception Wrong(string what) => new(Http2Error.ProtocolError, what);

    // ---- the end

    private void Close(Exception why)
    {
        ClientStream[] left;
        lock (_gate)
        {
            if (_closed is not null) return;
            _closed = why;
            left = [.. _streams.Values];
            _streams.Clear();
            foreach (ClientStream stream in left) stream.Fail(why);
        }
        foreach (ClientStream stream in left) stream.WakeOnPool();
        _socket.Dispose();
    }
}
