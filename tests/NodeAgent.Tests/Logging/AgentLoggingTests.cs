using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Logging;
using NodeAgent.NodeAgent.Tests.Hosting;

namespace NodeAgent.NodeAgent.Tests.Logging;

public sealed partial class AgentLoggingTests
{
    [Fact]
    public void The_journal_gets_a_priority_on_every_line()
    {
        string text = Write(LogFormat.Journal, new(), log => LogFailed(log, new InvalidOperationException("bad"), "a/b", 3));
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("<4>PodWorker: Pod a/b failed 3 times", lines[0]);
        Assert.All(lines, line => Assert.StartsWith("<4>", line, StringComparison.Ordinal));
        Assert.Contains("InvalidOperationException: bad", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_looks_like_klog()
    {
        string text = Write(LogFormat.Text, new(), log => LogFailed(log, null, "a/b", 3));
        Assert.Matches(@"^W1121 05:06:07\.000000 +\d+ PodWorker\] Pod a/b failed 3 times\n$", text);
    }

    [Fact]
    public void Json_has_upstreams_keys_and_the_fields()
    {
        JsonNode line = JsonNode.Parse(Write(LogFormat.Json, new(), log => LogFailed(log, null, "a/b", 3)))!;
        Assert.Equal(("Pod a/b failed 3 times", "warning", "a/b", 3),
            ((string?)line["msg"], (string?)line["level"], (string?)line["Pod"], (int?)line["Times"]));
        Assert.Equal(1795237567000m, (decimal)line["ts"]!);
    }

    [Theory]
    [InlineData(0, LogLevel.Information)]
    [InlineData(2, LogLevel.Information)]
    [InlineData(4, LogLevel.Debug)]
    [InlineData(6, LogLevel.Trace)]
    public void Verbosity_chooses_the_level(int verbosity, LogLevel least) =>
        Assert.Equal(least, new Verbosity(new LoggingConfiguration { Verbosity = verbosity }).Least("NodeAgent.Kubelet.Workers.PodWorker"));

    [Fact]
    public void A_pattern_chooses_the_level_of_single_parts()
    {
        Verbosity verbosity = new(new LoggingConfiguration { VModule = [new("Pod*", 6), new("PodWorker", 4)] });
        Assert.Equal(LogLevel.Trace, verbosity.Least("NodeAgent.Kubelet.Workers.PodWorker"));
        Assert.Equal(LogLevel.Information, verbosity.Least("NodeAgent.Kubelet.Status.StatusManager"));
    }

    [Fact]
    public void A_reader_that_blocks_costs_lines_and_never_time()
    {
        using BlockedStream blocked = new();
        LogWriter writer = new(blocked);
        for (int i = 0; i < 20_000; i++)
            writer.Write("line\n"u8.ToArray());
        Assert.InRange(writer.Lost, 20_000 - 8192 - 2, 20_000);
        blocked.Release();
        writer.Dispose();
        Assert.Contains("log lines were lost", blocked.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_costs_the_lines_of_its_time_and_no_later_ones()
    {
        using FullStream disk = new();
        LogWriter writer = new(disk);
        writer.Write("first\n"u8.ToArray());
        writer.Write("second\n"u8.ToArray());
        Assert.True(SpinWait.SpinUntil(() => disk.Refused == 2, TimeSpan.FromSeconds(30)));
        disk.Free = true;
        writer.Write("third\n"u8.ToArray());
        writer.Dispose();
        Assert.Equal("third\n2 log lines were lost\n", Encoding.UTF8.GetString(disk.ToArray()));
    }

    private static string Write(LogFormat format, LoggingConfiguration configuration, Action<ILogger> write)
    {
        using MemoryStream output = new();
        using (AgentLoggerFactory factory = new(format, new Verbosity(configuration), new LogWriter(output), new ManualTime()))
            write(factory.CreateLogger("NodeAgent.Kubelet.Workers.PodWorker"));
        return Encoding.UTF8.GetString(output.ToArray());
    }

    [LoggerMessage(1, LogLevel.Warning, "Pod {Pod} failed {Times} times")]
    private static partial void LogFailed(ILogger logger, Exception? error, string pod, int times);

    private sealed class FullStream : MemoryStream
    {
        private volatile int refused;

        internal volatile bool Free;

        internal int Refused => refused;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!Free)
            {
                refused++;
                throw new IOException("No space left on device");
            }

            base.Write(buffer);
        }
    }

    private sealed class BlockedStream : MemoryStream
    {
        private readonly ManualResetEventSlim released = new();

        internal string Text => Encoding.UTF8.GetString(ToArray());

        internal void Release() => released.Set();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            released.Wait();
            base.Write(buffer);
        }
    }
}
