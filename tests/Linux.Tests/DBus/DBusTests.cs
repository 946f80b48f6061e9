using System.Net.Sockets;
using System.Text;
using NodeAgent.Linux.DBus;

namespace NodeAgent.Linux.Tests.DBus;

public sealed class DBusTests
{
    [Fact]
    public void A_message_reads_back_as_it_was_written()
    {
        DBusMessage message = new()
        {
            Type = DBusMessageType.MethodCall,
            Serial = 7,
            Path = "/a",
            Interface = "b.c",
            Member = "D",
            Destination = "e",
            Signature = "sba(sv)atdygx",
            Body =
            [
                "käse", true,
                new object[] { new object[] { "n", new DBusVariant("t", 5UL) }, new object[] { "l", new DBusVariant("as", new object[] { "x", "yy" }) } },
                new object[] { 1UL, 2UL }, 1.5, (byte)9, "a{sv}", -3L,
            ],
        };
        DBusMessage read = DBusMessage.Unmarshal(message.Marshal());
        Assert.Equal(message.Marshal(), read.Marshal());
        Assert.Equal("käse", read.Body[0]);
        Assert.Equal(-3L, read.Body[^1]);
        Assert.Equal("yy", ((object[])((DBusVariant)((object[])((object[])read.Body[2])[1])[1]).Value)[1]);
    }

    [Fact]
    public void The_bytes_of_a_call_are_those_the_specification_gives()
    {
        byte[] bytes = new DBusMessage { Type = DBusMessageType.MethodCall, Serial = 1, Path = "/", Member = "M", Signature = "u", Body = [5u] }.Marshal();
        Assert.Equal("6C 01 00 01 04 00 00 00 01 00 00 00 27 00 00 00".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(bytes.AsSpan(0, 16)));
        Assert.Equal(DBusMessage.TotalLength(bytes), bytes.Length);
        Assert.Equal(0, (bytes.Length - 4) % 8);
        Assert.Equal(5, bytes[^4]);
    }

    [Theory]
    [InlineData("78000001000000000100000000000000")]
    [InlineData("6C000001FFFFFF7F0100000000000000")]
    public void A_head_that_is_none_or_too_long_is_refused_before_anything_is_allocated(string hex) =>
        Assert.Throws<DBusConnectionException>(() => DBusMessage.TotalLength(Convert.FromHexString(hex)));

    [Fact]
    public void No_cut_of_a_message_reads_as_one()
    {
        byte[] bytes = new DBusMessage { Type = DBusMessageType.Signal, Serial = 1, Path = "/", Interface = "i", Member = "M", Signature = "sas", Body = ["x", new object[] { "y", "z" }] }.Marshal();
        for (int length = 16; length < bytes.Length; length++)
        {
            Assert.ThrowsAny<Exception>(() => DBusMessage.Unmarshal(bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public async Task A_slice_is_started_and_its_job_waited_for_even_where_the_signal_overtakes_the_reply()
    {
        await using FakeSystemd systemd = new();
        await using SystemdUnits units = new([systemd.Socket], TimeProvider.System);
        systemd.On("StartTransientUnit", call =>
            [systemd.Signal("JobRemoved", "uoss", 1u, "/job/1", call.Body[0], "done"), systemd.Reply(call, "o", "/job/1")]);
        Assert.True(await units.StartTransientAsync("kubepods.slice", [new UnitProperty("CPUWeight", new DBusVariant("t", 39UL))], default));
        object[] property = (object[])((object[])systemd.Calls.Single().Body[2])[0];
        Assert.Equal("CPUWeight", property[0]);
        Assert.Equal(39UL, ((DBusVariant)property[1]).Value);
    }

    [Fact]
    public async Task A_slice_that_exists_is_left_as_it_is()
    {
        await using FakeSystemd systemd = new();
        await using SystemdUnits units = new([systemd.Socket], TimeProvider.System);
        systemd.On("StartTransientUnit", call => [systemd.Error(call, "org.freedesktop.systemd1.UnitExists")]);
        systemd.On("GetUnit", call => [systemd.Reply(call, "o", "/unit")]);
        systemd.On("Get", call => [systemd.Reply(call, "v", new DBusVariant("s", "active"))]);
        Assert.False(await units.StartTransientAsync("kubepods.slice", [], default));
    }

    [Fact]
    public async Task A_failed_job_is_an_error_that_names_the_unit()
    {
        await using FakeSystemd systemd = new();
        await using SystemdUnits units = new([systemd.Socket], TimeProvider.System);
        systemd.On("StartTransientUnit", call => [systemd.Reply(call, "o", "/job/2"), systemd.Signal("JobRemoved", "uoss", 2u, "/job/2", call.Body[0], "failed")]);
        DBusException e = await Assert.ThrowsAsync<DBusException>(() => units.StartTransientAsync("a.slice", [], default));
        Assert.Contains("a.slice", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_what_is_not_loaded_is_no_error()
    {
        await using FakeSystemd systemd = new();
        await using SystemdUnits units = new([systemd.Socket], TimeProvider.System);
        systemd.On("StopUnit", call => [systemd.Error(call, "org.freedesktop.systemd1.NoSuchUnit")]);
        await units.StopAsync("gone.slice", default);
    }

    [Fact]
    public async Task When_systemd_goes_away_the_call_fails_and_the_next_one_connects_again()
    {
        await using FakeSystemd systemd = new();
        await using SystemdUnits units = new([systemd.Socket], TimeProvider.System);
        systemd.On("Reload", _ => null);
        await Assert.ThrowsAsync<DBusConnectionException>(() => units.ReloadAsync(default));
        systemd.On("Reload", call => [systemd.Reply(call, "")]);
        await units.ReloadAsync(default);
    }

    [Fact]
    public async Task A_missing_socket_is_an_error_that_says_so()
    {
        await using SystemdUnits units = new(["/nonexistent/bus"], TimeProvider.System);
        DBusConnectionException e = await Assert.ThrowsAsync<DBusConnectionException>(() => units.ReloadAsync(default));
        Assert.Contains("/nonexistent/bus", e.Message, StringComparison.Ordinal);
    }

    /// <summary>A scripted peer over a real socket: checks the login, answers calls; a script that gives null closes the connection.</summary>
    private sealed class FakeSystemd : IAsyncDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("dbus-").FullName;
        private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly Dictionary<string, Func<DBusMessage, DBusMessage[]?>> _scripts = [];
        private readonly Task _serving;
        private uint _serial;

        public FakeSystemd()
        {
            _listener.Bind(new UnixDomainSocketEndPoint(Socket));
            _listener.Listen();
            _serving = ServeAsync();
        }

        public string Socket => _folder + "/private";

        public List<DBusMessage> Calls { get; } = [];

        public void On(string member, Func<DBusMessage, DBusMessage[]?> script) => _scripts[member] = script;

        public DBusMessage Reply(DBusMessage call, string signature, params object[] body) =>
            new() { Type = DBusMessageType.MethodReturn, Serial = ++_serial, ReplySerial = call.Serial, Signature = signature, Body = body };

        public DBusMessage Error(DBusMessage call, string name) =>
            new() { Type = DBusMessageType.Error, Serial = ++_serial, ReplySerial = call.Serial, ErrorName = name, Signature = "s", Body = ["no"] };

        public DBusMessage Signal(string member, string signature, params object[] body) =>
            new() { Type = DBusMessageType.Signal, Serial = ++_serial, Path = "/org/freedesktop/systemd1", Interface = "org.freedesktop.systemd1.Manager", Member = member, Signature = signature, Body = body };

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _serving;
            Directory.Delete(_folder, recursive: true);
        }

        private async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using Socket peer = await _listener.AcceptAsync();
                    await TalkAsync(new NetworkStream(peer));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
            {
            }
        }

        private async Task TalkAsync(NetworkStream stream)
        {
            Assert.StartsWith("\0AUTH EXTERNAL ", await LineAsync(stream), StringComparison.Ordinal);
            await stream.WriteAsync("OK 0123456789abcdef\r\n"u8.ToArray());
            Assert.Equal("BEGIN", await LineAsync(stream));
            byte[] head = new byte[16];
            while (await stream.ReadAtLeastAsync(head, 16, throwOnEndOfStream: false) == 16)
            {
                byte[] whole = new byte[DBusMessage.TotalLength(head)];
                head.CopyTo(whole, 0);
                await stream.ReadExactlyAsync(whole.AsMemory(16));
                DBusMessage call = DBusMessage.Unmarshal(whole);
                Calls.Add(call);
                if (!_scripts.TryGetValue(call.Member, out Func<DBusMessage, DBusMessage[]?>? script))
                {
                    script = c => [Error(c, "org.freedesktop.DBus.Error.UnknownMethod")];
                }

                if (script(call) is not { } answers)
                {
                    return;
                }

                foreach (DBusMessage answer in answers)
                {
                    await stream.WriteAsync(answer.Marshal());
                }
            }
        }

        private static async Task<string> LineAsync(NetworkStream stream)
        {
            List<byte> line = [];
            byte[] one = new byte[1];
            while (line is not [.., (byte)'\n'])
            {
                await stream.ReadExactlyAsync(one);
                line.Add(one[0]);
            }

            return Encoding.ASCII.GetString([.. line]).TrimEnd('\r', '\n');
        }
    }
}
