using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace NodeAgent.Linux.DBus;

/// <summary>
/// A connection to a D-Bus peer over a Unix socket: login as the process' user, calls with replies, signals.
/// Not for file descriptors. When the peer goes away every waiting call fails and <see cref="Closed"/> ends.
/// </summary>
public sealed partial class DBusConnection : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<DBusMessage>> _calls = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<DBusMessage> _onSignal;
    private uint _serial;

    private DBusConnection(Stream stream, Action<DBusMessage> onSignal)
    {
        _stream = stream;
        _onSignal = onSignal;
    }

    /// <summary>Ends when the connection does.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Connects and logs in.</summary>
    /// <param name="socketPath">e.g. /run/systemd/private or /run/dbus/system_bus_socket.</param>
    /// <param name="onSignal">Called for each signal, in order, from the reading loop; must not block.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="DBusConnectionException">No such socket, login refused, or no D-Bus peer.</exception>
    public static async Task<DBusConnection> ConnectAsync(string socketPath, Action<DBusMessage> onSignal, CancellationToken cancellationToken)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
            return await LogInAsync(new NetworkStream(socket, ownsSocket: true), onSignal, cancellationToken);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            socket.Dispose();
            throw new DBusConnectionException($"cannot connect to D-Bus at \"{socketPath}\": {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Logs in over a stream that is connected already (SASL EXTERNAL), then reads messages until it ends.</summary>
    internal static async Task<DBusConnection> LogInAsync(Stream stream, Action<DBusMessage> onSignal, CancellationToken cancellationToken)
    {
        string uid = Convert.ToHexStringLower(Encoding.ASCII.GetBytes(EffectiveUserId().ToString(CultureInfo.InvariantCulture)));
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"\0AUTH EXTERNAL {uid}\r\n"), cancellationToken);
        string answer = await ReadLineAsync(stream, cancellationToken);
        if (!answer.StartsWith("OK ", StringComparison.Ordinal))
        {
            throw new DBusConnectionException($"D-Bus login as uid {EffectiveUserId()} was refused: {answer}");
        }

        await stream.WriteAsync("BEGIN\r\n"u8.ToArray(), cancellationToken);
        DBusConnection connection = new(stream, onSignal);
        _ = connection.ReadLoopAsync();
        return connection;
    }

    /// <summary>Calls a method and waits for its reply.</summary>
    /// <exception cref="DBusException">The peer answered with an error.</exception>
    /// <exception cref="DBusConnectionException">The connection ended first; whether the call took effect is not known.</exception>
    public async Task<IReadOnlyList<object>> CallAsync(DBusMethod method, CancellationToken cancellationToken)
    {
        uint serial = Interlocked.Increment(ref _serial);
        DBusMessage message = new()
        {
            Type = DBusMessageType.MethodCall,
            Serial = serial,
            Destination = method.Destination,
            Path = method.Path,
            Interface = method.Interface,
            Member = method.Member,
            Signature = method.Signature,
            Body = method.Arguments,
        };
        TaskCompletionSource<DBusMessage> reply = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[serial] = reply;
        try
        {
            await SendAsync(message, cancellationToken);
            if (_closed.Task.IsCompleted)
            {
                throw new DBusConnectionException($"{method.Interface}.{method.Member}: the D-Bus peer has gone away");
            }

            DBusMessage answer = await reply.Task.WaitAsync(cancellationToken);
            return answer.Type == DBusMessageType.MethodReturn ? answer.Body
                : throw new DBusException(answer.ErrorName, $"{method.Interface}.{method.Member}", answer.Body is [string text, ..] ? text : "");
        }
        finally
        {
            _calls.TryRemove(serial, out _);
        }
    }

    /// <summary>Closes the socket; waiting calls fail.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        await _closed.Task;
        _sending.Dispose();
    }

    private async Task SendAsync(DBusMessage message, CancellationToken cancellationToken)
    {
        byte[] bytes = message.Marshal();
        await _sending.WaitAsync(cancellationToken);
        try
        {
            // A message half sent would spoil the connection, so a started write is not cancelled.
            await _stream.WriteAsync(bytes, CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new DBusConnectionException($"{message.Interface}.{message.Member}: the D-Bus peer has gone away", e);
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task ReadLoopAsync()
    {
        Exception? cause = null;
        try
        {
            byte[] head = new byte[DBusMessage.FixedHeaderSize];
            while (true)
            {
                await _stream.ReadExactlyAsync(head);
                byte[] whole = new byte[DBusMessage.TotalLength(head)];
                head.CopyTo(whole, 0);
                await _stream.ReadExactlyAsync(whole.AsMemory(head.Length));
                await HandleAsync(DBusMessage.Unmarshal(whole));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or DBusConnectionException or InvalidCastException)
        {
            cause = e;
        }

        await _stream.DisposeAsync();
        _closed.TrySetResult();
        foreach (TaskCompletionSource<DBusMessage> call in _calls.Values)
        {
            call.TrySetException(new DBusConnectionException("the D-Bus connection ended: " + cause.Message, cause));
        }
    }

    private async Task HandleAsync(DBusMessage message)
    {
        switch (message.Type)
        {
            case DBusMessageType.MethodReturn or DBusMessageType.Error:
                if (_calls.TryGetValue(message.ReplySerial, out TaskCompletionSource<DBusMessage>? call))
                {
                    call.TrySetResult(message);
                }

                break;
            case DBusMessageType.Signal:
                _onSignal(message);
                break;
            case DBusMessageType.MethodCall when (message.Flags & 1) == 0:
                await SendAsync(Refusal(message), CancellationToken.None);
                break;
        }
    }

    private DBusMessage Refusal(DBusMessage call) => new()
    {
        Type = DBusMessageType.Error,
        Serial = Interlocked.Increment(ref _serial),
        ReplySerial = call.Serial,
        Destination = call.Sender,
        ErrorName = "org.freedesktop.DBus.Error.UnknownMethod",
        Signature = "s",
        Body = [$"no method {call.Member} here"],
    };

    private static async Task<string> ReadLineAsync(Stream stream, CancellationToken cancellationToken)
    {
        byte[] line = new byte[512];
        for (int length = 0; length < line.Length; length++)
        {
            await stream.ReadExactlyAsync(line.AsMemory(length, 1), cancellationToken);
            if (line[length] == '\n')
            {
                return Encoding.ASCII.GetString(line, 0, length).TrimEnd('\r');
            }
        }

        throw new DBusConnectionException("the D-Bus peer's login answer is longer than 512 bytes");
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUserId();
}

/// <summary>A method and its arguments.</summary>
/// <param name="Destination">Bus name.</param>
/// <param name="Path">Object path.</param>
/// <param name="Interface">Interface.</param>
/// <param name="Member">Method.</param>
/// <param name="Signature">Types of the arguments.</param>
/// <param name="Arguments">The arguments; see <see cref="DBusVariant"/> for their shapes.</param>
public sealed record DBusMethod(string Destination, string Path, string Interface, string Member, string Signature, IReadOnlyList<object> Arguments);
