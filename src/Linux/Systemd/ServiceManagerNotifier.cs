using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace NodeAgent.Linux.Systemd;

/// <summary>
/// Tells systemd about the service's state (sd_notify). Messages are datagrams; a full or absent socket loses them, never blocks.
/// Safe for use from several threads.
/// </summary>
public sealed class ServiceManagerNotifier : IDisposable
{
    private readonly Socket? socket;

    /// <param name="address">The value of NOTIFY_SOCKET: a path, or a name of the abstract namespace after an @; null or empty for none.</param>
    public ServiceManagerNotifier(string? address)
    {
        if (string.IsNullOrEmpty(address) || address[0] is not ('/' or '@'))
            return;
        Socket datagrams = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            datagrams.Connect(new UnixDomainSocketEndPoint(address[0] == '@' ? $"\0{address[1..]}" : address));
            socket = datagrams;
        }
        catch (SocketException)
        {
            datagrams.Dispose();
        }
    }

    /// <summary>Whether there is a service manager that listens.</summary>
    public bool IsConnected => socket is not null;

    /// <summary>From NOTIFY_SOCKET, which is removed from the environment so that no child speaks for us.</summary>
    public static ServiceManagerNotifier FromEnvironment()
    {
        ServiceManagerNotifier notifier = new(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", null);
        return notifier;
    }

    /// <summary>
    /// The time between signs of life that systemd wants (WATCHDOG_USEC, if WATCHDOG_PID is absent or ours); null when it wants none.
    /// </summary>
    public static TimeSpan? WatchdogInterval(string? microseconds, string? processId)
    {
        bool ours = string.IsNullOrEmpty(processId) || processId == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        return ours && long.TryParse(microseconds, NumberStyles.None, CultureInfo.InvariantCulture, out long usec) && usec > 0
            ? TimeSpan.FromMicroseconds(usec)
            : null;
    }

    /// <summary>READY=1: starting is over.</summary>
    public bool Ready(string status) => Send($"READY=1\nSTATUS={OneLine(status)}");

    /// <summary>STATUS=: one line for systemctl status.</summary>
    public bool Status(string status) => Send($"STATUS={OneLine(status)}");

    /// <summary>WATCHDOG=1: a sign of life.</summary>
    public bool Alive() => Send("WATCHDOG=1");

    /// <summary>STOPPING=1: the end has begun.</summary>
    public bool Stopping(string status) => Send($"STOPPING=1\nSTATUS={OneLine(status)}");

    /// <inheritdoc/>
    public void Dispose() => socket?.Dispose();

    private bool Send(string message)
    {
        if (socket is null)
            return false;
        try
        {
            return socket.Send(Encoding.UTF8.GetBytes(message)) > 0;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
