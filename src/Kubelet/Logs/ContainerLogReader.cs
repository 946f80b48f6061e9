using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Logs;

/// <summary>Where a log goes. Each call is flushed to the reader before it returns.</summary>
public interface ILogSink
{
    /// <summary>Writes bytes of one or more lines.</summary>
    ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);
}

/// <summary>
/// Copies a container's CRI log to a sink. Following waits on inotify with a check each second beside, goes on with the file after one that
/// was rotated or truncated, and ends when the container does. Source: cri-client/pkg/logs/logs.go.
/// </summary>
/// <param name="inotify">Shared watcher.</param>
/// <param name="work">Threads for calls that may block.</param>
/// <param name="time">Clock.</param>
public sealed class ContainerLogReader(InotifyWatcher inotify, BlockingWork work, TimeProvider time)
{
    private const int BufferSize = 64 * 1024;
    private const int LongestLine = 1024 * 1024;
    private static readonly TimeSpan Recheck = TimeSpan.FromSeconds(1);

    /// <summary>Copies what the options ask for.</summary>
    /// <param name="path">The log file (a symbolic link is resolved once).</param>
    /// <param name="options">What to copy.</param>
    /// <param name="isRunning">Whether the container still runs; asked only when following, at the end of the file.</param>
    /// <param name="sink">Where to.</param>
    /// <param name="cancellationToken">The reader went away.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public async Task ReadAsync(string path, PodLogOptions options, Func<CancellationToken, ValueTask<bool>> isRunning, ILogSink sink, CancellationToken cancellationToken)
    {
        // Each reader has a key of its own: a disk that does not answer keeps those of other files from nothing.
        string key = $"log {path} {Guid.NewGuid():N}";
        string file = await work.RunAsync(key, () => File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path, cancellationToken);
        LogCopy copy = new(options, options.Since(time.GetUtcNow()), sink, (handle, buffer, offset, token) => work.RunAsync(key, () => LogTail.ReadFully(handle, buffer, offset), token));
        using Signal signal = new();
        using IDisposable? watch = options.Follow
            ? await work.RunAsync(key, () => inotify.Watch(Path.GetDirectoryName(file)!, Interesting, signal.OnEvent(Path.GetFileName(file))), cancellationToken) : null;
        LogSegment log = await work.RunAsync(key, () => LogSegment.OpenLive(file), cancellationToken);
        try
        {
            long offset = options.TailLines is { } lines
                ? await work.RunAsync(key, () => LogTail.Find(log.File, RandomAccess.GetLength(log.File), lines), cancellationToken) : 0;
            bool ended = !options.Follow;
            while (true)
            {
                // Whether it runs is asked before the last look, so that nothing written before its end is missed.
                (offset, bool done) = await copy.CopyAsync(log.File, offset, last: ended, cancellationToken);
                LogSegment? next = done || !options.Follow ? null : await work.RunAsync(key, () => log.Next(offset, ended), cancellationToken);
                if (next is not null)
                {
                    using LogSegment whole = log;
                    log = next;
                    (_, done) = await copy.CopyAsync(whole.File, offset, last: true, cancellationToken);
                    offset = 0;
                }

                if (done || (ended && next is null))
                {
                    return;
                }

                ended = ended || (next is null && !await isRunning(cancellationToken));
                if (!ended && next is null)
                {
                    await signal.WaitAsync(Recheck, time, cancellationToken);
                }
            }
        }
        finally
        {
            log.Dispose();
        }
    }

    private static InotifyEvents Interesting => InotifyEvents.Modify | InotifyEvents.Create | InotifyEvents.MovedTo | InotifyEvents.MovedFrom | InotifyEvents.Delete;

    private delegate Task<int> ReadAt(SafeFileHandle file, byte[] buffer, long offset, CancellationToken cancellationToken);

    private sealed class Signal : IDisposable
    {
        private readonly SemaphoreSlim _changed = new(0, 1);

        public Action<InotifyEvent> OnEvent(string name) => e =>
        {
            if (e.Name == name || e.Events.HasFlag(InotifyEvents.Overflow))
            {
                Release();
            }
        };

        public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
        {
            using CancellationTokenSource recheck = new(atMost, time);
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(recheck.Token, cancellationToken);
            await _changed.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }

        public void Dispose() => _changed.Dispose();

        private void Release()
        {
            try
            {
                _changed.Release();
            }
            catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
            {
                // A look is due already, or nobody waits any more.
            }
        }
    }

    /// <summary>Parses and filters what is read from one file after another.</summary>
    private sealed class LogCopy(PodLogOptions options, DateTimeOffset? since, ILogSink sink, ReadAt readAt)
    {
        private readonly ArrayBufferWriter<byte> _out = new(BufferSize);
        private long? _left = options.LimitBytes;
        private bool _atLineStart = true;

        /// <summary>Copies from an offset to the end of the file; a line without newline waits for the rest unless it is the last look.</summary>
        public async Task<(long Offset, bool Done)> CopyAsync(SafeFileHandle file, long offset, bool last, CancellationToken cancellationToken)
        {
            // Given back only in the end: a read that hangs may still write into it.
            byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
            while (true)
            {
                int read = await readAt(file, buffer, offset, cancellationToken);
                int used = Consume(buffer.AsSpan(0, read), last && read < buffer.Length);
                await FlushAsync(cancellationToken);
                offset += used;
                if (_left == 0 || (used == 0 && read < buffer.Length))
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    return (offset, _left == 0);
                }

                if (used == 0 && read == buffer.Length)
                {
                    // A line longer than the buffer: a larger one, up to the limit; beyond, it is passed over.
                    if (buffer.Length >= LongestLine)
                    {
                        offset += read;
                        continue;
                    }

                    byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }

        private int Consume(ReadOnlySpan<byte> data, bool lastIsWhole)
        {
            int used = 0;
            while (used < data.Length && _left != 0)
            {
                int newline = data[used..].IndexOf((byte)'\n');
                if (newline < 0 && !lastIsWhole)
                {
                    break;
                }

                int length = newline < 0 ? data.Length - used : newline + 1;
                Line(data.Slice(used, length));
                used += length;
            }

            return used;
        }

        private void Line(ReadOnlySpan<byte> line)
        {
            if (!CriLogParser.TryParse(line, out CriLogRecord record, out ReadOnlySpan<byte> content) || (since is { } from && record.Time < from)
                || (options.Stream != "All" && options.Stream != record.Stream.ToString()))
            {
                return;
            }

            if (options.Timestamps && _atLineStart)
            {
                Put(Timestamp(line[..line.IndexOf((byte)' ')], record.Time));
            }

            Put(content);
            _atLineStart = !record.Partial;
        }

        private void Put(ReadOnlySpan<byte> bytes)
        {
            if (_left is { } left)
            {
                bytes = bytes[..(int)Math.Min(left, bytes.Length)];
                _left = left - bytes.Length;
            }

            _out.Write(bytes);
        }

        private async ValueTask FlushAsync(CancellationToken cancellationToken)
        {
            if (_out.WrittenCount > 0)
            {
                await sink.WriteAsync(_out.WrittenMemory, cancellationToken);
                _out.ResetWrittenCount();
            }
        }

        // RFC 3339 with nine digits always, as upstream prints it, and a space.
        private static byte[] Timestamp(ReadOnlySpan<byte> text, DateTimeOffset time)
        {
            int dot = text.IndexOf((byte)'.');
            int digits = dot < 0 ? 0 : text[(dot + 1)..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            string fraction = digits > 0 ? Encoding.ASCII.GetString(text.Slice(dot + 1, Math.Min(digits, 9))) : "";
            string zone = time.Offset == TimeSpan.Zero ? "Z" : time.ToString("zzz", CultureInfo.InvariantCulture);
            return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{time:yyyy-MM-ddTHH:mm:ss}.{fraction.PadRight(9, '0')}{zone} "));
        }
    }
}
