using System.Buffers.Text;

namespace NodeAgent.Linux.Procfs;

/// <summary>Figures of /proc/meminfo, in bytes.</summary>
/// <param name="Total">MemTotal.</param>
/// <param name="Available">MemAvailable; 0 where the kernel does not give it.</param>
/// <param name="SwapTotal">SwapTotal.</param>
/// <param name="SwapFree">SwapFree.</param>
/// <param name="Free">MemFree.</param>
/// <param name="InactiveFile">Inactive(file).</param>
public readonly record struct MemoryInformation(long Total, long Available, long SwapTotal, long SwapFree, long Free, long InactiveFile)
{
    /// <summary>What is used and cannot be taken back at once: total − free − inactive file pages, as cadvisor counts the root cgroup on v2.</summary>
    public long WorkingSet => Math.Max(0, Total - Free - InactiveFile);

    /// <summary>Reads the text of /proc/meminfo.</summary>
    public static MemoryInformation Parse(ReadOnlySpan<byte> text)
    {
        long total = 0, available = 0, swapTotal = 0, swapFree = 0, free = 0, inactive = 0;
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            int colon = line.IndexOf((byte)':');
            if (colon < 0 || !Utf8Parser.TryParse(line[(colon + 1)..].TrimStart((byte)' '), out long kibibytes, out _))
            {
                continue;
            }

            long bytes = kibibytes * 1024;
            switch (line[..colon])
            {
                case var k when k.SequenceEqual("MemTotal"u8): total = bytes; break;
                case var k when k.SequenceEqual("MemAvailable"u8): available = bytes; break;
                case var k when k.SequenceEqual("SwapTotal"u8): swapTotal = bytes; break;
                case var k when k.SequenceEqual("SwapFree"u8): swapFree = bytes; break;
                case var k when k.SequenceEqual("MemFree"u8): free = bytes; break;
                case var k when k.SequenceEqual("Inactive(file)"u8): inactive = bytes; break;
            }
        }

        return new MemoryInformation(total, available, swapTotal, swapFree, free, inactive);
    }
}
