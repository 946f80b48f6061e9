using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Harness.Networks;

/// <summary>An own network namespace with sockets made in it by this process.</summary>
public sealed partial class NetworkNamespace : IDisposable
{
    private const int CloneNewNet = 0x40000000;

    /// <summary>How long an answer is waited for: 2.5 s, or $NODE_AGENT_PACKET_PATIENCE seconds, as on an emulated processor.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(
        double.TryParse(Environment.GetEnvironmentVariable("NODE_AGENT_PACKET_PATIENCE"), CultureInfo.InvariantCulture, out double seconds) ? seconds : 2.5);

    private readonly List<Socket> _servers = [];

    /// <summary>Makes it; its loopback is up.</summary>
    public NetworkNamespace(string name)
    {
        Name = name;
        Run("ip", "netns", "add", name);
        // Duplicate address detection would keep IPv6 silent for a second.
        Exec("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.dad_transmits=0");
        Ip("link set lo up");
    }

    /// <summary>Its name for ip netns.</summary>
    public string Name { get; }

    /// <summary>Runs a program to its end; answers its output.</summary>
    public static string Run(params string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = process.StandardOutput.ReadToEnd(), error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', command)}: {error}");
    }

    /// <summary>Runs ip(8) in it.</summary>
    public string Ip(string arguments) => Run(["ip", "-n", Name, .. arguments.Split(' ')]);

    /// <summary>Runs several commands of ip(8) in it by one process.</summary>
    public void IpBatch(params string[] commands)
    {
        using Process process = Process.Start(new ProcessStartInfo("ip", ["-n", Name, "-batch", "-"]) { RedirectStandardInput = true, RedirectStandardError = true })!;
        process.StandardInput.Write(string.Join('\n', commands) + "\n");
        process.StandardInput.Close();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{string.Join("; ", commands)}: {error}");
        }
    }

    /// <summary>Runs a program in it.</summary>
    public string Exec(params string[] command) => Run(["ip", "netns", "exec", Name, .. command]);

    /// <summary>Answers each connection and each datagram with the server's name and the sender's address.</summary>
    public void Serve(string name, string ip, int port)
    {
        var address = new IPEndPoint(IPAddress.Parse(ip), port);
        Socket tcp = New(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp), udp = New(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        tcp.Bind(address);
        tcp.Listen();
        udp.Bind(address);
        _servers.AddRange([tcp, udp]);
        _ = AnswerConnectionsAsync(tcp, name);
        _ = AnswerDatagramsAsync(udp, name);
    }

    /// <summary>What a server said, or "refused", or "nothing"; "unreachable" where no neighbour has the address.</summary>
    public async Task<string> AskTcpAsync(string ip, int port)
    {
        var address = new IPEndPoint(IPAddress.Parse(ip), port);
        using Socket socket = New(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await socket.ConnectAsync(address, limit.Token);
            byte[] buffer = new byte[200];
            return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token));
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostUnreachable)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused ? "refused" : "unreachable";
        }
        catch (OperationCanceledException)
        {
            return "nothing";
        }
    }

    /// <summary>As <see cref="AskTcpAsync"/>, by a datagram.</summary>
    public async Task<string> AskUdpAsync(string ip, int port)
    {
        var address = new IPEndPoint(IPAddress.Parse(ip), port);
        using Socket socket = New(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(address);
        return await AskAsync(socket);
    }

    /// <summary>A socket that keeps its port over several questions.</summary>
    public async Task<Socket> ConnectUdpAsync(string ip, int port)
    {
        var address = new IPEndPoint(IPAddress.Parse(ip), port);
        Socket socket = New(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(address);
        return socket;
    }

    /// <summary>One more question over such a socket.</summary>
    public static async Task<string> AskAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await socket.SendAsync("?"u8.ToArray(), limit.Token);
            byte[] buffer = new byte[200];
            return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return "refused";
        }
        catch (OperationCanceledException)
        {
            return "nothing";
        }
    }

    /// <summary>Ends the servers and removes the namespace with its links.</summary>
    public void Dispose()
    {
        foreach (Socket server in _servers)
        {
            server.Dispose();
        }

        Run("ip", "netns", "del", Name);
    }

    private static async Task AnswerConnectionsAsync(Socket listener, string name)
    {
        try
        {
            while (true)
            {
                using Socket peer = await listener.AcceptAsync();
                await peer.SendAsync(Encoding.UTF8.GetBytes($"{name} sees {((IPEndPoint)peer.RemoteEndPoint!).Address}"));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task AnswerDatagramsAsync(Socket socket, string name)
    {
        byte[] buffer = new byte[200];
        EndPoint any = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        try
        {
            while (true)
            {
                SocketReceiveFromResult got = await socket.ReceiveFromAsync(buffer, any);
                await socket.SendToAsync(Encoding.UTF8.GetBytes($"{name} sees {((IPEndPoint)got.RemoteEndPoint).Address}"), got.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    /// <summary>A socket belongs to the namespace of the thread that makes it.</summary>
    private Socket New(AddressFamily family, SocketType type, ProtocolType protocol) => Within(() => new Socket(family, type, protocol));

    /// <summary>Runs something on a thread in this namespace.</summary>
    public T Within<T>(Func<T> make)
        where T : class
    {
        T? made = null;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using SafeFileHandle file = File.OpenHandle($"/run/netns/{Name}");
                if (setns(file.DangerousGetHandle().ToInt32(), CloneNewNet) != 0)
                {
                    throw new InvalidOperationException($"setns: {Marshal.GetLastPInvokeError()}");
                }

                made = make();
            }
            catch (Exception e) when (e is InvalidOperationException or IOException or SocketException)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        return made ?? throw failure!;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(int fd, int type);
}
