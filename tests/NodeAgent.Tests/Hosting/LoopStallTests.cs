using NodeAgent.Hosting;
using NodeAgent.Linux.Systemd;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class LoopStallTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("stall").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task A_loop_stands_while_its_file_exists_and_keeps_the_limit_that_is_given()
    {
        await File.WriteAllTextAsync(Path.Combine(folder, "sync-loop.limit"), "5\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "sync-loop.blocked"), "");
        using ServiceManagerNotifier notifier = new(null);
        ManualTime time = new();
        using ProgressWatchdog watchdog = new(notifier, null, time, new RecordingLogger<ProgressWatchdog>(), new LoopStall(folder));
        LoopProgress sync = watchdog.Register("sync loop", TimeSpan.FromMinutes(2)), pleg = watchdog.Register("PLEG", TimeSpan.FromMinutes(3));
        Assert.Equal(TimeSpan.FromSeconds(5), sync.Limit);
        Assert.Equal(TimeSpan.FromMinutes(3), pleg.Limit);
        pleg.Beat();
        Task beat = Task.Run(sync.Beat);
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.False(watchdog.Check());
        Assert.False(beat.IsCompleted);
        File.Delete(Path.Combine(folder, "sync-loop.blocked"));
        await beat.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(watchdog.Check());
    }

    [Fact]
    public void Without_its_variable_there_is_no_such_thing() => Assert.Null(LoopStall.FromEnvironment());

    [Fact]
    public void A_folder_that_others_may_write_is_refused()
    {
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_111_111);
        Assert.Throws<InvalidOperationException>(() => LoopStall.Open(folder));
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_000_000);
        Assert.NotNull(LoopStall.Open(folder));
    }
}
