using System.Buffers;
using System.Buffers.Binary;
using NodeAgent.Grpc.Http2;

namespace NodeAgent.Grpc.Client;

/// <summary>
/// One call on its connection: what is still to be sent, the messages that have come, and how it ended. All members are used under the
/// connection's gate but for <see cref="ReadAsync"/>, <see cref="Dispose"/> and the waking of the reader.
/// </summary>
/// <param name="single">One message is the whole answer: its reader is woken once, at the end.</param>
/// <param name="maxMessageSize">Bytes.</param>
internal sealed class ClientStream(bool single, int maxMessageSize) : IThreadPoolWorkItem, IDisposable
{
    /// <summary>Octets the peer may send before the reader has taken them.</summary>
    public const int Window = 1024 * 1024;

    private const int Prefix = 5;
    private readonly byte[] _prefix = new byte[Prefix];
    private readonly Queue<ArraySegment<byte>> _messages = new(1);
    private ClientConnection? _connection;
    private byte[]? _request;
    private List<(string Name, string Value)>? _headers;
    private List<(string Name, string Value)>? _trailers;
    private byte[]? _message;
    private int _prefixHave, _messageHave, _messageSize;
    private int _window = Window, _uncredited, _credit;
    private bool _ended;
    private Exception? _failure;
    private TaskCompletionSource? _waiter;

    public int Id { get; private set; }

    public long SendWindow { get; set; }

    /// <summary>What of the request waits for the peer's window.</summary>
    public ArraySegment<byte> Unsent { get; private set; }

    /// <summary>True where a reader waits for what is there now.</summary>
    public bool IsAwaited => _waiter is not null && (IsOver || !single && _messages.Count > 0);

    private bool IsOver => _ended || _failure is not null;

    public void Begin(ClientConnection connection, int id, long sendWindow, ArraySegment<byte> body)
    {
        _connection = connection;
        Id = id;
        SendWindow = sendWindow;
        _request = body.Array;
        Unsent = body;
    }

    public void Sent(int count)
    {
        SendWindow -= count;
        Unsent = Unsent[count..];
        if (Unsent.Count == 0) ForgetRequest();
    }

    /// <summary>Ends the call unless it has ended; false where it had.</summary>
    public bool Fail(Exception why)
    {
        if (IsOver) return false;
        _failure = why;
        ForgetRequest();
        return true;
    }

    /// <summary>The peer ended the stream, for a reason or because all was said.</summary>
    public void EndedByPeer(Exception? why)
    {
        if (IsOver) return;
        _ended = true;
        // What has begun to answer was processed, whatever the peer says.
        _failure = why is NotProcessedException && _headers is not null ? new StreamResetException((uint)Http2Error.RefusedStream) : why ?? Judge();
        ForgetRequest();
    }

    /// <summary>Headers or trailers have come; false where they make the call fail.</summary>
    public bool Receive(List<(string Name, string Value)> headers, bool last)
    {
        if (!last && _headers is null && ResponseHeaders.AreInformational(headers)) return true;
        if (_headers is not null)
        {
            _trailers = headers;
            return last || !Fail(ResponseHeaders.Failure(headers, StatusCode.Internal, "trailers that do not end the stream"));
        }
        _headers = headers;
        return ResponseHeaders.Objection(headers) is not { } objection || !Fail(objection);
    }

    /// <summary>A piece of the body has come; false where it makes the call fail.</summary>
    /// <param name="data">Without padding.</param>
    /// <param name="wireLength">With padding: what counts for the window.</param>
    public bool Receive(ReadOnlySpan<byte> data, int wireLength)
    {
        _window -= wireLength;
        if (_window < 0) return !Fail(Failure(StatusCode.Internal, "the peer sent more than its window allows"));
        if (_headers is null) return !Fail(Failure(StatusCode.Internal, "a body without headers"));
        while (!data.IsEmpty)
        {
            if (Take(ref data) is { } objection) return !Fail(objection);
        }
        _uncredited += wireLength;
        if (single || _messages.Count == 0) CreditAll();
        return true;
    }

    /// <summary>What the peer is to be told of window it has again; 0 while that is not worth a frame.</summary>
    public int TakeCredit()
    {
        if (_credit < Window / 2) return 0;
        int credit = _credit;
        _credit = 0;
        _window += credit;
        return credit;
    }

    /// <summary>The next message in a rented buffer, the caller's to give back; null at the end. For a single answer: at the end.</summary>
    /// <exception cref="Exception">How the call failed.</exception>
    public async ValueTask<ArraySegment<byte>?> ReadAsync()
    {
        while (true)
        {
            (ArraySegment<byte>? message, Task? wait) = _connection!.Read(this, static stream => stream.Next());
            if (wait is null) return message;
            await wait.ConfigureAwait(false);
        }
    }

    /// <summary>Wakes readers whose streams have something: the last one on this thread if <paramref name="here"/>, the others on the pool's.</summary>
    public static void WakeAll(List<ClientStream>? ready, bool here)
    {
        if (ready is null) return;
        for (int i = 0; i < ready.Count - 1; i++) ready[i].WakeOnPool();
        if (here) ready[^1].Execute();
        else ready[^1].WakeOnPool();
    }

    public void WakeOnPool() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    /// <summary>Wakes the reader on this thread.</summary>
    public void Execute() => Interlocked.Exchange(ref _waiter, null)?.TrySetResult();

    /// <summary>The reader wants no more: a call under way is reset, buffers go back.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _connection, null) is { } connection) connection.Leave(this);
    }

    /// <summary>Gives the buffers back.</summary>
    public void ForgetMessages()
    {
        while (_messages.TryDequeue(out ArraySegment<byte> message)) ArrayPool<byte>.Shared.Return(message.Array!);
        if (_message is not null) ArrayPool<byte>.Shared.Return(_message);
        _message = null;
    }

    /// <summary>Ends the call for the reader too, which is told why.</summary>
    public void Cancel(Exception why) => _connection?.End(this, why);

    private (ArraySegment<byte>? Message, Task? Wait) Next()
    {
        if (!IsOver && (single || _messages.Count == 0)) return (null, (_waiter ??= new TaskCompletionSource()).Task);
        if (single && _failure is not null) throw _failure;
        if (_messages.TryDequeue(out ArraySegment<byte> message))
        {
            if (_messages.Count == 0) CreditAll();
            return (message, null);
        }
        return _failure is null ? (null, null) : throw _failure;
    }

    private void CreditAll()
    {
        _credit += _uncredited;
        _uncredited = 0;
    }

    // Some octets more of prefix or message; the reason where they cannot be.
    private RpcException? Take(ref ReadOnlySpan<byte> data)
    {
        if (_prefixHave < Prefix)
        {
            int part = Math.Min(data.Length, Prefix - _prefixHave);
            data[..part].CopyTo(_prefix.AsSpan(_prefixHave));
            data = data[part..];
            _prefixHave += part;
            if (_prefixHave < Prefix) return null;
            if (_prefix[0] != 0)
                return Failure(_prefix[0] == 1 ? StatusCode.Unimplemented : StatusCode.Internal, "the peer compressed a message although only identity was offered");
            uint size = BinaryPrimitives.ReadUInt32BigEndian(_prefix.AsSpan(1));
            if (size > (uint)maxMessageSize) return Failure(StatusCode.ResourceExhausted, $"received message larger than max ({size} vs. {maxMessageSize})");
            if (single && _messages.Count > 0) return Failure(StatusCode.Internal, "more than one message in the answer to a unary call");
            _messageSize = (int)size;
            _messageHave = 0;
            _message = ArrayPool<byte>.Shared.Rent(Math.Clamp(_messageSize, 1, Window / 16));
        }
        int length = Math.Min(data.Length, _messageSize - _messageHave);
        if (_message!.Length < _messageHave + length) _message = Larger(_message, _messageHave, Math.Min(_messageSize, Math.Max(2 * _message.Length, _messageHave + length)));
        data[..length].CopyTo(_message.AsSpan(_messageHave));
        data = data[length..];
        _messageHave += length;
        if (_messageHave < _messageSize) return null;
        _messages.Enqueue(new ArraySegment<byte>(_message, 0, _messageSize));
        _message = null;
        _prefixHave = 0;
        return null;
    }

    // How a stream that the peer ended in order is to be taken; null = well.
    private RpcException? Judge()
    {
        List<(string, string)> last = _trailers is not null && ResponseHeaders.HaveStatus(_trailers) ? _trailers : _headers ?? [];
        RpcException? outcome = ResponseHeaders.Outcome(last);
        if (_prefixHave > 0 && (outcome is null || !ResponseHeaders.HaveStatus(last))) return Failure(StatusCode.Internal, "the response ended inside a message");
        if (outcome is null && single && _messages.Count == 0) return Failure(StatusCode.Internal, "status OK without a message in the answer to a unary call");
        return outcome;
    }

    private RpcException Failure(StatusCode code, string detail) => ResponseHeaders.Failure(_headers ?? [], code, detail);

    private void ForgetRequest()
    {
        Unsent = default;
        if (_request is null) return;
        ArrayPool<byte>.Shared.Return(_request);
        _request = null;
    }

    private static byte[] Larger(byte[] buffer, int used, int size)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(size);
        buffer.AsSpan(0, used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }
}
