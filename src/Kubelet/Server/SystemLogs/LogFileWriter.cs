using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>Writes a file, or parts of it, as long as it was when it was opened: a log that grows meanwhile is not followed.</summary>
/// <param name="work">Threads for calls that may block.</param>
/// <param name="key">The key of this answer.</param>
/// <param name="file">The file.</param>
internal sealed class LogFileWriter(BlockingWork work, string key, OpenedLog file)
{
    private const int Chunk = 128 * 1024;
    private readonly byte[] _buffer = new byte[(int)Math.Min(Chunk, Math.Max(file.Size, LogContentType.Looked))];

    public async Task WriteAsync(HttpResponse response, IReadOnlyList<ByteRange> ranges, CancellationToken cancellationToken)
    {
        string type = await TypeAsync(cancellationToken);
        if (ranges.Count > 1)
        {
            await PartsAsync(response, ranges, type, cancellationToken);
            return;
        }

        ByteRange range = ranges.Count == 1 ? ranges[0] : new ByteRange(0, file.Size);
        if (ranges.Count == 1)
        {
            response.Headers.ContentRange = range.Of(file.Size);
        }

        response.ContentType = type;
        response.ContentLength = range.Length;
        await SendAsync(response, range, cancellationToken);
    }

    /// <summary>Writes a part as it is.</summary>
    /// <returns>False: the file was truncated meanwhile, and the part with it.</returns>
    public async Task<bool> CopyAsync(Stream output, ByteRange range, CancellationToken cancellationToken)
    {
        for (long at = range.Start, end = range.Start + range.Length; at < end;)
        {
            int wanted = (int)Math.Min(_buffer.Length, end - at);
            long offset = at;
            int read = await work.RunAsync(key, () => RandomAccess.Read(file.Handle, _buffer.AsSpan(0, wanted), offset), cancellationToken);
            if (read == 0)
            {
                return false;
            }

            await output.WriteAsync(_buffer.AsMemory(0, read), cancellationToken);
            at += read;
        }

        return true;
    }

    private async Task PartsAsync(HttpResponse response, IReadOnlyList<ByteRange> ranges, string type, CancellationToken cancellationToken)
    {
        string boundary = Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture);
        byte[][] heads = [.. ranges.Select((r, i) => Encoding.ASCII.GetBytes(
            $"{(i > 0 ? "\r\n" : "")}--{boundary}\r\nContent-Range: {r.Of(file.Size)}\r\nContent-Type: {type}\r\n\r\n"))];
        byte[] tail = Encoding.ASCII.GetBytes($"\r\n--{boundary}--\r\n");
        response.ContentType = "multipart/byteranges; boundary=" + boundary;
        response.ContentLength = ranges.Sum(r => r.Length) + heads.Sum(h => h.Length) + tail.Length;
        for (int i = 0; i < ranges.Count; i++)
        {
            await response.Body.WriteAsync(heads[i], cancellationToken);
            await SendAsync(response, ranges[i], cancellationToken);
        }

        await response.Body.WriteAsync(tail, cancellationToken);
    }

    private async Task<string> TypeAsync(CancellationToken cancellationToken)
    {
        int read = await work.RunAsync(key, () => RandomAccess.Read(file.Handle, _buffer.AsSpan(0, LogContentType.Looked), 0), cancellationToken);
        return LogContentType.Of(file.Name, _buffer.AsSpan(0, read));
    }

    private async Task SendAsync(HttpResponse response, ByteRange range, CancellationToken cancellationToken)
    {
        if (!await CopyAsync(response.Body, range, cancellationToken))
        {
            // The length that was promised cannot be kept.
            response.HttpContext.Abort();
        }
    }
}
