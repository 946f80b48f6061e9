using NodeAgent.Linux.Inotify;

namespace NodeAgent.Linux.Tests.Inotify;

public sealed class InotifyWatcherTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("inotify-").FullName;
    private readonly InotifyWatcher _watcher = new();

    public void Dispose()
    {
        _watcher.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Two_watches_of_one_folder_both_hear_of_a_new_file()
    {
        TaskCompletionSource<InotifyEvent> first = new(), second = new();
        using IDisposable a = _watcher.Watch(_folder, InotifyEvents.Create, e => first.TrySetResult(e));
        using IDisposable b = _watcher.Watch(_folder, InotifyEvents.Create, e => second.TrySetResult(e));
        File.WriteAllText(_folder + "/x", "");
        Assert.Equal("x", (await first.Task.WaitAsync(TimeSpan.FromSeconds(10))).Name);
        Assert.Equal("x", (await second.Task.WaitAsync(TimeSpan.FromSeconds(10))).Name);
    }

    [Fact]
    public async Task A_watch_that_ended_leaves_the_other_in_place()
    {
        TaskCompletionSource<InotifyEvent> second = new();
        int heard = 0;
        IDisposable a = _watcher.Watch(_folder, InotifyEvents.Create, _ => heard++);
        using IDisposable b = _watcher.Watch(_folder, InotifyEvents.Create, e => second.TrySetResult(e));
        a.Dispose();
        File.WriteAllText(_folder + "/y", "");
        await second.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(0, heard);
    }

    [Fact]
    public async Task A_watched_file_tells_that_it_was_written_and_that_it_was_moved()
    {
        string file = _folder + "/z";
        File.WriteAllText(file, "1");
        TaskCompletionSource written = new(), moved = new();
        using IDisposable watch = _watcher.Watch(file, InotifyEvents.Modify | InotifyEvents.MoveSelf,
            e => ((e.Events & InotifyEvents.Modify) != 0 ? written : moved).TrySetResult());
        File.AppendAllText(file, "2");
        await written.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(moved.Task.IsCompleted);
        File.Move(file, file + "-moved");
        await moved.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void A_missing_path_is_an_error_that_names_it() =>
        Assert.Contains("/nonexistent", Assert.Throws<IOException>(() => _watcher.Watch("/nonexistent", InotifyEvents.Create, _ => { })).Message, StringComparison.Ordinal);
}
