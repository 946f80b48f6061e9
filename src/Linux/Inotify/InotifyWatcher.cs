using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Linux.Inotify;

/// <summary>
/// One inotify instance with a thread of its own (started with the first watch), shared by any number of watches.
/// Callbacks run on that thread: they must not block and must not throw.
/// </summary>
public sealed partial class InotifyWatcher : IDisposable
{
    private const int NonBlockingCloseOnExec = 0x800 | 0x80000;
    private const uint AddToMask = 0x20000000;
    private const int HeaderSize = 16;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, List<Subscription>> _subscriptions = [];
    private SafeFileHandle? _inotify;
    private SafeFileHandle? _wake;
    private bool _disposed;

    /// <summary>Watches a file or folder.</summary>
    /// <param name="path">An existing file or folder.</param>
    /// <param name="events">What to report; deletion of the path itself and overflow are always reported.</param>
    /// <param name="callback">Called on the watcher's thread.</param>
    /// <returns>Dispose to end the watch.</returns>
    /// <exception cref="IOException">The path does not exist, or the user's inotify limits are used up; the text says which.</exception>
    public IDisposable Watch(string path, InotifyEvents events, Action<InotifyEvent> callback)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            EnsureStarted();
            uint mask = (uint)(events | InotifyEvents.DeleteSelf | InotifyEvents.MoveSelf) | AddToMask;
            int descriptor = AddWatch(_inotify!, path, mask);
            if (descriptor < 0)
            {
                throw Failure($"cannot watch \"{path}\"");
            }

            Subscription subscription = new(this, descriptor, callback);
            if (!_subscriptions.TryGetValue(descriptor, out List<Subscription>? list))
            {
                _subscriptions[descriptor] = list = [];
            }

            list.Add(subscription);
            return subscription;
        }
    }

    /// <summary>Ends all watches and the thread.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (_wake is not null)
            {
                RandomAccessWrite(_wake);
            }
        }
    }

    private void EnsureStarted()
    {
        if (_inotify is not null)
        {
            return;
        }

        _inotify = Init(NonBlockingCloseOnExec);
        if (_inotify.IsInvalid)
        {
            _inotify = null;
            throw Failure("cannot make an inotify instance");
        }

        _wake = EventFd(0, NonBlockingCloseOnExec);
        new Thread(Run) { IsBackground = true, Name = "inotify" }.Start();
    }

    private void Run()
    {
        byte[] buffer = new byte[64 * 1024];
        Span<PollDescriptor> polled = stackalloc PollDescriptor[2];
        SafeFileHandle inotify = _inotify!, wake = _wake!;
        while (true)
        {
            polled[0] = new PollDescriptor { Fd = (int)inotify.DangerousGetHandle(), Events = 1 };
            polled[1] = new PollDescriptor { Fd = (int)wake.DangerousGetHandle(), Events = 1 };
            if (Poll(ref MemoryMarshal.GetReference(polled), 2, -1) < 0)
            {
                continue; // EINTR
            }

            if (Volatile.Read(ref _disposed))
            {
                inotify.Dispose();
                wake.Dispose();
                return;
            }

            nint length = Read(inotify, buffer, (nuint)buffer.Length);
            if (length > 0)
            {
                Dispatch(buffer.AsSpan(0, (int)length));
            }
        }
    }

    private void Dispatch(ReadOnlySpan<byte> data)
    {
        while (data.Length >= HeaderSize)
        {
            int descriptor = BinaryPrimitives.ReadInt32LittleEndian(data);
            InotifyEvents events = (InotifyEvents)BinaryPrimitives.ReadUInt32LittleEndian(data[4..]);
            int nameLength = BinaryPrimitives.ReadInt32LittleEndian(data[12..]);
            ReadOnlySpan<byte> name = data.Slice(HeaderSize, nameLength).TrimEnd((byte)0);
            InotifyEvent value = new(events, Encoding.UTF8.GetString(name));
            foreach (Subscription subscription in Receivers(descriptor, events))
            {
                subscription.Callback(value);
            }

            data = data[(HeaderSize + nameLength)..];
        }
    }

    private Subscription[] Receivers(int descriptor, InotifyEvents events)
    {
        lock (_lock)
        {
            if (events.HasFlag(InotifyEvents.Overflow))
            {
                return [.. _subscriptions.Values.SelectMany(l => l)];
            }

            Subscription[] receivers = _subscriptions.TryGetValue(descriptor, out List<Subscription>? list) ? [.. list] : [];
            if (events.HasFlag(InotifyEvents.Ignored))
            {
                _subscriptions.Remove(descriptor);
            }

            return receivers;
        }
    }

    private void Remove(Subscription subscription)
    {
        lock (_lock)
        {
            if (!_subscriptions.TryGetValue(subscription.Descriptor, out List<Subscription>? list) || !list.Remove(subscription))
            {
                return;
            }

            if (list.Count == 0)
            {
                _subscriptions.Remove(subscription.Descriptor);
                if (!_disposed)
                {
                    _ = RemoveWatch(_inotify!, subscription.Descriptor);
                }
            }
        }
    }

    private static void RandomAccessWrite(SafeFileHandle wake)
    {
        Span<byte> one = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(one, 1);
        _ = Write(wake, one, 8);
    }

    private static IOException Failure(string what)
    {
        int error = Marshal.GetLastPInvokeError();
        string remedy = error switch
        {
            28 => "; raise fs.inotify.max_user_watches",
            24 => "; raise fs.inotify.max_user_instances",
            _ => "",
        };
        return new IOException($"{what}: {new Win32Exception(error).Message}{remedy}", error);
    }

    private sealed class Subscription(InotifyWatcher owner, int descriptor, Action<InotifyEvent> callback) : IDisposable
    {
        public int Descriptor { get; } = descriptor;

        public Action<InotifyEvent> Callback { get; } = callback;

        public void Dispose() => owner.Remove(this);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", EntryPoint = "inotify_init1", SetLastError = true)]
    private static partial SafeFileHandle Init(int flags);

    [LibraryImport("libc", EntryPoint = "inotify_add_watch", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddWatch(SafeFileHandle inotify, string path, uint mask);

    [LibraryImport("libc", EntryPoint = "inotify_rm_watch", SetLastError = true)]
    private static partial int RemoveWatch(SafeFileHandle inotify, int descriptor);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial SafeFileHandle EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollDescriptor descriptors, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(SafeFileHandle file, Span<byte> buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(SafeFileHandle file, ReadOnlySpan<byte> buffer, nuint count);
}
