using System.Text;
using NodeAgent.Kubelet.Logs;
using NodeAgent.Linux.Inotify;
using NodeAgent.Linux.Syscalls;

namespace NodeAgent.Kubelet.Tests.Logs;

public sealed class ContainerLogReaderTests : IDisposable
{
    private const string T1 = "2026-01-02T03:04:05.123456789Z", T2 = "2026-01-02T03:04:06Z", T3 = "2026-01-02T03:04:07.5Z";
    private static readonly string Lines = $"{T1} stdout F one\n{T2} stderr F two\n{T3} stdout P thr\n{T3} stdout F ee\n";
    private readonly string _folder = Directory.CreateTempSubdirectory("logs-").FullName;
    private readonly BlockingWork _work = new();
    private readonly InotifyWatcher _inotify = new();

    private string LogFile => _folder + "/0.log";

    public void Dispose()
    {
        _inotify.Dispose();
        _work.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<string> ReadAsync(PodLogOptions options, string? content = null)
    {
        File.WriteAllText(LogFile, content ?? Lines);
        Sink sink = new();
        await new ContainerLogReader(_inotify, _work, TimeProvider.System).ReadAsync(LogFile, options, _ => new(false), sink, default);
        return sink.Text;
    }

    /// <summary>Follows a log whose first line has arrived; the task ends when the container has and all is read.</summary>
    private async Task<(Sink Sink, Func<Task> EndAsync)> FollowAsync(bool held = false)
    {
        File.WriteAllText(LogFile, $"{T1} stdout F one\n");
        Sink sink = new() { Held = held };
        bool running = true;
        Task reading = new ContainerLogReader(_inotify, _work, TimeProvider.System).ReadAsync(LogFile, new() { Follow = true }, _ => new(Volatile.Read(ref running)), sink, default);
        await sink.UntilAsync("one\n");
        return (sink, () =>
        {
            Volatile.Write(ref running, false);
            return reading.WaitAsync(TimeSpan.FromSeconds(10));
        }
        );
    }

    [Fact]
    public async Task Lines_come_without_their_heads_and_partial_ones_are_joined() => Assert.Equal("one\ntwo\nthree\n", await ReadAsync(new()));

    [Fact]
    public async Task Timestamps_have_nine_digits_and_stand_once_before_a_joined_line() => Assert.Equal(
        $"{T1} one\n2026-01-02T03:04:06.000000000Z two\n2026-01-02T03:04:07.500000000Z three\n", await ReadAsync(new() { Timestamps = true }));

    [Theory]
    [InlineData(0, "")]
    [InlineData(1, "ee\n")]
    [InlineData(3, "two\nthree\n")]
    [InlineData(99, "one\ntwo\nthree\n")]
    public async Task The_tail_counts_lines_of_the_file(long lines, string expected) => Assert.Equal(expected, await ReadAsync(new() { TailLines = lines }));

    [Fact]
    public async Task A_tail_larger_than_a_block_is_found()
    {
        string content = string.Concat(Enumerable.Range(0, 5000).Select(i => $"{T2} stdout F line {i}\n"));
        string text = await ReadAsync(new() { TailLines = 3000 }, content);
        Assert.StartsWith("line 2000\n", text, StringComparison.Ordinal);
        Assert.EndsWith("line 4999\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_limit_cuts_within_a_line() => Assert.Equal("one\ntw", await ReadAsync(new() { LimitBytes = 6 }));

    [Fact]
    public async Task Older_lines_are_left_out() =>
        Assert.Equal("two\nthree\n", await ReadAsync(new() { SinceTime = DateTimeOffset.Parse(T2, System.Globalization.CultureInfo.InvariantCulture) }));

    [Fact]
    public async Task One_stream_can_be_chosen() => Assert.Equal("two\n", await ReadAsync(new() { Stream = "Stderr" }));

    [Fact]
    public async Task Lines_that_are_none_are_passed_over() => Assert.Equal("one\n", await ReadAsync(new(), $"rubbish\n{T1} stdin F x\n{T1} stdout F one\n\n"));

    [Fact]
    public async Task A_last_line_without_newline_is_given() => Assert.Equal("one\nend", await ReadAsync(new(), $"{T1} stdout F one\n{T1} stdout F end"));

    [Fact]
    public async Task A_long_line_is_given_whole()
    {
        string longLine = new('x', 300_000);
        Assert.Equal(longLine + "\nend\n", await ReadAsync(new(), $"{T1} stdout F {longLine}\n{T1} stdout F end\n"));
    }

    [Fact]
    public async Task Following_goes_on_over_a_rotation_until_the_container_ends()
    {
        (Sink sink, Func<Task> endAsync) = await FollowAsync();
        File.AppendAllText(LogFile, $"{T1} stdout F two\n");
        await sink.UntilAsync("one\ntwo\n");
        File.AppendAllText(LogFile, $"{T1} stdout F three\n");
        File.Move(LogFile, LogFile + ".20260102-030405");
        File.WriteAllText(LogFile, $"{T1} stdout F four\n");
        await sink.UntilAsync("one\ntwo\nthree\nfour\n");
        await endAsync();
    }

    [Fact]
    public async Task What_the_runtime_still_writes_to_the_old_file_while_the_new_one_is_empty_is_not_lost()
    {
        (Sink sink, Func<Task> endAsync) = await FollowAsync();
        File.Move(LogFile, LogFile + ".20260102-030405");
        File.WriteAllText(LogFile, "");
        File.AppendAllText(LogFile + ".20260102-030405", $"{T1} stdout F two\n");
        await sink.UntilAsync("one\ntwo\n");
        File.AppendAllText(LogFile + ".20260102-030405", $"{T1} stdout F three\n");
        File.AppendAllText(LogFile, $"{T1} stdout F four\n");
        await sink.UntilAsync("one\ntwo\nthree\nfour\n");
        await endAsync();
    }

    [Fact]
    public async Task A_follower_that_falls_behind_by_whole_rotations_loses_nothing_that_is_kept_compressed_or_not()
    {
        (Sink sink, Func<Task> endAsync) = await FollowAsync(held: true);
        Rotate(1, "two");
        Rotate(2, "three");
        Rotate(3, "four");
        foreach (string name in (string[])[".20260102-030401", ".20260102-030402"])
        {
            LogFiles.Compress(LogFile, "0.log" + name, CancellationToken.None);
        }

        sink.Release();
        await sink.UntilAsync("one\ntwo\nthree\nfour\n");
        Rotate(4, "five");
        await sink.UntilAsync("one\ntwo\nthree\nfour\nfive\n");
        Rotate(5, "six");
        Rotate(6, "end");
        await endAsync();
        Assert.Equal("one\ntwo\nthree\nfour\nfive\nsix\nend\n", sink.Text);
        Assert.Equal(7, Directory.EnumerateFiles(_folder).Count());
    }

    private void Rotate(int second, string line)
    {
        File.Move(LogFile, $"{LogFile}.20260102-03040{second}");
        File.WriteAllText(LogFile, $"{T1} stdout F {line}\n");
    }

    [Fact]
    public async Task A_reader_that_goes_away_ends_following()
    {
        File.WriteAllText(LogFile, "");
        using CancellationTokenSource gone = new();
        Task reading = new ContainerLogReader(_inotify, _work, TimeProvider.System).ReadAsync(LogFile, new() { Follow = true }, _ => new(true), new Sink(), gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Theory]
    [InlineData("tailLines=5&follow=true&timestamps=true", PodLogOptionsError.None)]
    [InlineData("tail=all", PodLogOptionsError.None)]
    [InlineData("tailLines=x", PodLogOptionsError.Undecodable)]
    [InlineData("sinceTime=yesterday", PodLogOptionsError.Undecodable)]
    [InlineData("tailLines=-1", PodLogOptionsError.Invalid)]
    [InlineData("limitBytes=0", PodLogOptionsError.Invalid)]
    [InlineData("sinceSeconds=5&sinceTime=2026-01-02T03:04:05Z", PodLogOptionsError.Invalid)]
    [InlineData("stream=Stdin", PodLogOptionsError.Invalid)]
    [InlineData("stream=Stdout", PodLogOptionsError.None)]
    [InlineData("stream=Stdout&tailLines=1", PodLogOptionsError.Invalid)]
    public void Queries(string query, PodLogOptionsError expected)
    {
        Dictionary<string, string> values = query.Split('&').Select(p => p.Split('=')).ToDictionary(p => p[0], p => p[1]);
        Assert.Equal(expected, PodLogQuery.TryParse(values.GetValueOrDefault, out _));
    }

    private sealed class Sink : ILogSink
    {
        private readonly StringBuilder _text = new();
        private readonly SemaphoreSlim _written = new(0);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The user takes nothing after the first bytes until released.</summary>
        public bool Held { get; init; }

        public void Release() => _goOn.TrySetResult();

        public string Text
        {
            get
            {
                lock (_text)
                {
                    return _text.ToString();
                }
            }
        }

        public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            lock (_text)
            {
                _text.Append(Encoding.UTF8.GetString(bytes.Span));
            }

            _written.Release();
            return Held ? new ValueTask(_goOn.Task.WaitAsync(cancellationToken)) : ValueTask.CompletedTask;
        }

        public async Task UntilAsync(string expected)
        {
            while (Text != expected)
            {
                Assert.True(await _written.WaitAsync(TimeSpan.FromSeconds(10)), $"still \"{Text}\"");
            }
        }
    }
}
