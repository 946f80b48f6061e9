using Microsoft.Win32.SafeHandles;

namespace NodeAgent.Kubelet.Logs;

/// <summary>Finds where the last lines of a file begin, reading backwards.</summary>
internal static class LogTail
{
    private const int BlockSize = 16 * 1024;

    /// <summary>The offset of the first of the last lines; a last line without newline counts as one.</summary>
    public static long Find(SafeFileHandle file, long length, long lines)
    {
        if (lines <= 0)
        {
            return length;
        }

        byte[] block = new byte[BlockSize];
        long end = length;
        long found = 0;
        while (end > 0)
        {
            int size = (int)Math.Min(BlockSize, end);
            long start = end - size;
            int read = ReadFully(file, block.AsSpan(0, size), start);
            for (int i = read - 1; i >= 0; i--)
            {
                // The newline that ends the file begins no line.
                if (block[i] == '\n' && start + i != length - 1 && ++found == lines)
                {
                    return start + i + 1;
                }
            }

            end = start;
        }

        return 0;
    }

    internal static int ReadFully(SafeFileHandle file, Span<byte> into, long offset)
    {
        int total = 0;
        while (total < into.Length)
        {
            int read = RandomAccess.Read(file, into[total..], offset + total);
            if (read == 0)
            {
                break;
            }

            total += read;
        }

        return total;
    }
}
