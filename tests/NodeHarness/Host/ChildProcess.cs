using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NodeAgent.Harness.Host;

/// <summary>
/// A server we started: in a session of its own, its output in a file, known by process id and start time (written to a file, so that a
/// later run of ours can end it, and never a stranger that got the same id).
/// </summary>
public sealed partial class ChildProcess
{
    private const int SigKill = 9, SigTerm = 15, SigStop = 19, SigCont = 18;

    private readonly string _mark;

    private ChildProcess(string name, int id, ulong started, string log, string mark)
    {
        (Name, Id, Started, Log, _mark) = (name, id, started, log, mark);
    }

    /// <summary>Its name in messages and file names.</summary>
    public string Name { get; }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>The start time, in clock ticks since boot (proc(5), stat field 22).</summary>
    public ulong Started { get; }

    /// <summary>The file with its output.</summary>
    public string Log { get; }

    /// <summary>Whether the process exists and has not ended.</summary>
    public bool IsAlive => ReadStat(Id) is { } stat && stat.Started == Started && stat.State is not ('Z' or 'X');

    /// <summary>Starts a program; its files are FOLDER/NAME.pid and FOLDER/logs/NAME.log.</summary>
    public static ChildProcess Start(string folder, string name, string program, IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        string logs = Path.Combine(folder, "logs"), log = Path.Combine(logs, name + ".log"), mark = Path.Combine(folder, name + ".pid");
        Directory.CreateDirectory(logs);
        ProcessStartInfo start = new("/bin/sh", ["-c", "log=$1; shift; exec setsid \"$@\" </dev/null >>\"$log\" 2>&1", "sh", log, program, .. arguments])
        {
            WorkingDirectory = folder,
        };
        foreach ((string key, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[key] = value;
        Process process = Process.Start(start) ?? throw new InvalidOperationException($"{name} did not start");
        ulong started = ReadStat(process.Id)?.Started ?? 0;
        File.WriteAllText(mark, $"{process.Id} {started}\n");
        return new ChildProcess(name, process.Id, started, log, mark);
    }

    /// <summary>The process that an earlier run started under this name, when it still runs.</summary>
    public static ChildProcess? Find(string folder, string name)
    {
        string mark = Path.Combine(folder, name + ".pid");
        if (!File.Exists(mark)) return null;
        string[] parts = File.ReadAllText(mark).Split();
        ChildProcess child = new(name, int.Parse(parts[0]), ulong.Parse(parts[1]), Path.Combine(folder, "logs", name + ".log"), mark);
        return child.IsAlive ? child : null;
    }

    /// <summary>Ends it: SIGTERM, and SIGKILL when it takes too long.</summary>
    /// <returns>Whether it ended by itself within the limit.</returns>
    public async Task<bool> StopAsync(TimeSpan limit)
    {
        Signal(SigTerm);
        bool inTime = await EndedAsync(limit);
        if (!inTime) await KillAsync();
        File.Delete(_mark);
        return inTime;
    }

    /// <summary>Ends it at once (SIGKILL) and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        Signal(SigKill);
        if (!await EndedAsync(TimeSpan.FromSeconds(20)))
            throw new TimeoutException($"{Name} (process {Id}) outlives SIGKILL");
        File.Delete(_mark);
    }

    /// <summary>Stops it from running (SIGSTOP) or lets it run again (SIGCONT).</summary>
    public void Freeze(bool frozen) => Signal(frozen ? SigStop : SigCont);

    /// <summary>The last lines of its output.</summary>
    public string LogTail(int lines = 40) => File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(lines)) : "";

    private async Task<bool> EndedAsync(TimeSpan limit)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (IsAlive)
        {
            if (watch.Elapsed > limit) return false;
            await Task.Delay(20);
        }
        return true;
    }

    private void Signal(int signal)
    {
        if (IsAlive) _ = Kill(Id, signal);
    }

    private static (char State, ulong Started)? ReadStat(int id)
    {
        try
        {
            string text = File.ReadAllText($"/proc/{id}/stat");
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], ulong.Parse(fields[19]));
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int id, int signal);
}
