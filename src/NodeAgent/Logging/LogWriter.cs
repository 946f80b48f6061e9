using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace NodeAgent.Logging;

/// <summary>
/// Writes lines on a thread of its own from a bounded queue. A slow or blocked reader of standard error costs lines, which are counted
/// and reported, never time of the agent.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private const int Capacity = 8192;
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(2);

    private readonly BlockingCollection<byte[]> lines = new(Capacity);
    private readonly Stream output;
    private readonly Func<long, byte[]> describeLoss;
    private readonly Thread thread;
    private long lost;

    /// <param name="output">Where lines go; not closed.</param>
    /// <param name="describeLoss">The line that tells how many lines were lost.</param>
    internal LogWriter(Stream output, Func<long, byte[]>? describeLoss = null)
    {
        this.output = output;
        this.describeLoss = describeLoss ?? (count => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{count} log lines were lost\n")));
        thread = new Thread(Run) { Name = "log", IsBackground = true };
        thread.Start();
    }

    /// <summary>Lines that found the queue full since the last report.</summary>
    internal long Lost => Interlocked.Read(ref lost);

    /// <summary>Takes a line; never blocks.</summary>
    internal void Write(byte[] line)
    {
        try
        {
            if (!lines.TryAdd(line))
                Interlocked.Increment(ref lost);
        }
        catch (Exception e) when (e is InvalidOperationException or ObjectDisposedException)
        {
            // Past the end: whoever logs now does so after the last flush.
            Interlocked.Increment(ref lost);
        }
    }

    /// <summary>Writes what waits, at most 2 s long.</summary>
    public void Dispose()
    {
        lines.CompleteAdding();
        if (thread.Join(EndLimit))
            lines.Dispose();
    }

    private void Run()
    {
        foreach (byte[] line in lines.GetConsumingEnumerable())
        {
            if (!Put(line))
            {
                Interlocked.Increment(ref lost);
                continue;
            }

            long missing = Interlocked.Exchange(ref lost, 0);
            if (missing > 0 && !Put(describeLoss(missing)))
                Interlocked.Add(ref lost, missing);
        }
    }

    // A full disk becomes free again: what cannot be written is counted, and the next line is tried.
    private bool Put(byte[] line)
    {
        try
        {
            output.Write(line);
            output.Flush();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
