using System.Globalization;
using System.Text;

namespace NodeAgent.FakeCriRuntime;

/// <summary>Writes lines in the CRI log format: time, stream, tag, text.</summary>
internal sealed class CriLogFile(string path)
{
    private readonly Lock _lock = new();
    private FileStream _file = Open(path);

    public void Write(DateTimeOffset time, string stream, string line)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{time.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffffff}00Z {stream} F {line}\n");
        lock (_lock)
        {
            _file.Write(Encoding.UTF8.GetBytes(text));
            _file.Flush();
        }
    }

    /// <summary>What ReopenContainerLog asks for: the old file keeps what it has, lines from now on go to a new one.</summary>
    public void Reopen()
    {
        lock (_lock)
        {
            _file.Dispose();
            _file = Open(path);
        }
    }

    public void Close()
    {
        lock (_lock) _file.Dispose();
    }

    private static FileStream Open(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
    }
}
