using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Harness.Host;

/// <summary>
/// An empty file system that stops to answer when told so: whoever looks at it then waits in the kernel, as on a network mount whose
/// server is gone. It is FUSE with its server in this process; this process itself must not touch it.
/// </summary>
public sealed partial class FreezableMount : IDisposable
{
    private const int Lookup = 1, Forget = 2, GetAttributes = 3, StatFs = 17, Initialize = 26, OpenFolder = 27, ReadFolder = 28, ReleaseFolder = 29,
        Access = 34, Interrupt = 36, BatchForget = 42;

    private const int RequestHeader = 40, ReplyHeader = 16, NoEntry = -2, NotImplemented = -38, Detach = 2;
    private readonly SafeFileHandle _device;
    private readonly Thread _server;
    private volatile bool _frozen;
    private volatile bool _over;

    private FreezableMount(string path, SafeFileHandle device)
    {
        (Path, _device) = (path, device);
        _server = new Thread(Serve) { IsBackground = true, Name = "fuse" };
    }

    /// <summary>Where it is mounted.</summary>
    public string Path { get; }

    /// <summary>Why it cannot be had here; null when it can.</summary>
    public static string? Missing => File.Exists("/dev/fuse") ? null : "/dev/fuse is absent: modprobe fuse";

    /// <summary>Mounts it; it answers until it is frozen.</summary>
    public static FreezableMount Create(string path)
    {
        Directory.CreateDirectory(path);
        SafeFileHandle device = File.OpenHandle("/dev/fuse", FileMode.Open, FileAccess.ReadWrite);
        string options = string.Create(CultureInfo.InvariantCulture, $"fd={device.DangerousGetHandle()},rootmode=40000,user_id=0,group_id=0,allow_other");
        if (Mount("freezable", path, "fuse", 0, options) != 0)
            throw new IOException($"mount {path}: {Marshal.GetLastPInvokeErrorMessage()}");
        FreezableMount mount = new(path, device);
        mount._server.Start();
        return mount;
    }

    /// <summary>From now on nothing is answered.</summary>
    public void Freeze() => _frozen = true;

    /// <summary>Unmounts it; whoever waits on it gets an error.</summary>
    public void Dispose()
    {
        if (_over) return;
        _over = true;
        _ = Unmount(Path, Detach);
        _server.Join();
        _device.Dispose();
    }

    private void Serve()
    {
        byte[] request = new byte[256 << 10];
        while (!_over)
        {
            // With a limit: a read that waits would keep the device open for ever.
            PollEntry entry = new() { Descriptor = (int)_device.DangerousGetHandle(), Events = 1 };
            if (Poll(ref entry, 1, 100) <= 0) continue;
            nint size = Read(_device, request, request.Length);
            if (size < RequestHeader || _frozen) continue;
            if (Answer(request) is { } reply) Write(_device, reply, reply.Length);
        }
    }

    private static byte[]? Answer(byte[] request)
    {
        int operation = BinaryPrimitives.ReadInt32LittleEndian(request.AsSpan(4));
        if (operation is Forget or BatchForget or Interrupt) return null;
        (int error, byte[] body) = operation switch
        {
            Initialize => (0, Initialization(BinaryPrimitives.ReadUInt32LittleEndian(request.AsSpan(RequestHeader + 8)))),
            GetAttributes => (0, Attributes()),
            StatFs => (0, new byte[80]),
            OpenFolder => (0, new byte[16]),
            ReadFolder or ReleaseFolder or Access => (0, []),
            Lookup => (NoEntry, []),
            _ => (NotImplemented, (byte[])[]),
        };
        byte[] reply = new byte[ReplyHeader + body.Length];
        BinaryPrimitives.WriteInt32LittleEndian(reply, reply.Length);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(4), error);
        request.AsSpan(8, 8).CopyTo(reply.AsSpan(8));
        body.CopyTo(reply, ReplyHeader);
        return reply;
    }

    private static byte[] Initialization(uint readAhead)
    {
        byte[] body = new byte[64];
        BinaryPrimitives.WriteUInt32LittleEndian(body, 7);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(4), 31);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(8), readAhead);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(16), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(18), 48);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(20), 64 << 10);
        return body;
    }

    // Valid for no time, so that each look asks again.
    private static byte[] Attributes()
    {
        byte[] body = new byte[16 + 88];
        BinaryPrimitives.WriteUInt64LittleEndian(body.AsSpan(16), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(16 + 60), 0x41ED);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(16 + 64), 2);
        BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(16 + 80), 4096);
        return body;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string source, string target, string type, ulong flags, string data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount(string target, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollEntry entries, ulong count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle file, byte[] buffer, nint size);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle file, byte[] buffer, nint size);
}
