using NodeAgent.Linux.Systemd;

namespace NodeAgent.NodeAgent.Tests.Hosting;

public sealed class ServiceManagerNotifierTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Messages_arrive_over_paths_and_abstract_names(bool inAbstractNamespace)
    {
        using NotificationSocket systemd = new(inAbstractNamespace);
        using ServiceManagerNotifier notifier = new(systemd.Address);
        Assert.True(notifier.Ready("two\nlines"));
        Assert.True(notifier.Alive());
        Assert.True(notifier.Stopping("bye"));
        Assert.Equal("READY=1\nSTATUS=two lines", systemd.Receive());
        Assert.Equal("WATCHDOG=1", systemd.Receive());
        Assert.Equal("STOPPING=1\nSTATUS=bye", systemd.Receive());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("/nowhere/notify")]
    [InlineData("relative")]
    public void Without_a_service_manager_nothing_is_sent_and_nothing_fails(string? address)
    {
        using ServiceManagerNotifier notifier = new(address);
        Assert.False(notifier.IsConnected);
        Assert.False(notifier.Ready("ready"));
    }

    [Theory]
    [InlineData("60000000", null, 60)]
    [InlineData("60000000", "1", null)]
    [InlineData("", null, null)]
    [InlineData("x", null, null)]
    public void The_watchdog_interval_is_ours_only(string usec, string? pid, int? seconds) =>
        Assert.Equal(seconds, (int?)ServiceManagerNotifier.WatchdogInterval(usec, pid)?.TotalSeconds);

    [Theory]
    [InlineData("9:123", "socket:[123]", true)]
    [InlineData("9:123", "/proc/self/fd/socket:[123]", true)]
    [InlineData("9:124", "socket:[123]", false)]
    [InlineData(null, "socket:[123]", false)]
    [InlineData("9:123", "/dev/null", false)]
    public void The_journal_is_known_by_its_socket(string? variable, string target, bool journal) => Assert.Equal(journal, JournalStream.IsJournal(variable, target));
}
