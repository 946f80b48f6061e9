using System.Globalization;
using System.Text;

namespace NodeAgent.StandIn.Nodes;

/// <summary>Status and headers of an HTTP/1.1 answer.</summary>
internal sealed record HttpHead(int Code, IReadOnlyList<(string Name, string Value)> Headers)
{
    public string? Find(string name)
    {
        foreach ((string candidate, string value) in Headers)
            if (candidate.Equals(name, StringComparison.OrdinalIgnoreCase))
                return value;
        return null;
    }
}

/// <summary>Reads one HTTP/1.1 answer from a connection that is closed after it, or handed over after a 101.</summary>
internal sealed class HttpReader(Stream stream)
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    /// <summary>What is there, at least one byte; 0 at the end. Never waits for more once it has something.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            _start = 0;
            _end = await stream.ReadAsync(_buffer, cancellationToken);
        }
        int count = Math.Min(target.Length, _end - _start);
        _buffer.AsMemory(_start, count).CopyTo(target);
        _start += count;
        return count;
    }

    public async Task<HttpHead> ReadHeadAsync(CancellationToken cancellationToken)
    {
        string status = await LineAsync(cancellationToken);
        string[] parts = status.Split(' ', 3);
        if (parts.Length < 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int code))
            throw new IOException($"the kubelet's answer does not begin as HTTP: \"{status}\"");
        List<(string, string)> headers = [];
        while (await LineAsync(cancellationToken) is { Length: > 0 } line)
        {
            int colon = line.IndexOf(':');
            if (colon > 0)
                headers.Add((line[..colon].Trim(), line[(colon + 1)..].Trim()));
        }
        return new HttpHead(code, headers);
    }

    public async Task CopyBodyAsync(HttpHead head, Stream target, CancellationToken cancellationToken)
    {
        if (head.Find("Transfer-Encoding")?.Contains("chunked", StringComparison.OrdinalIgnoreCase) == true)
        {
            while (long.Parse((await LineAsync(cancellationToken)).Split(';')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture) is > 0 and { } size)
            {
                await CopyAsync(target, size, cancellationToken);
                await LineAsync(cancellationToken);
            }
        }
        else
        {
            string? length = head.Find("Content-Length");
            await CopyAsync(target, length is null ? long.MaxValue : long.Parse(length, CultureInfo.InvariantCulture), cancellationToken);
        }
    }

    private async Task CopyAsync(Stream target, long count, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[16 * 1024];
        while (count > 0)
        {
            int read = await ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, count)), cancellationToken);
            if (read == 0)
                return;
            count -= read;
            await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            await target.FlushAsync(cancellationToken);
        }
    }

    private async Task<string> LineAsync(CancellationToken cancellationToken)
    {
        StringBuilder line = new();
        byte[] one = new byte[1];
        while (await ReadAsync(one, cancellationToken) == 1 && one[0] != '\n')
        {
            if (line.Length > 16 * 1024)
                throw new IOException("a header of the kubelet's answer is too long");
            line.Append((char)one[0]);
        }
        return line.ToString().TrimEnd('\r');
    }
}
