using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubelet.Logs;

namespace NodeAgent.Kubelet.Tests.Logs;

public sealed class LogRotationPlanTests
{
    [Theory]
    [InlineData("", 5, "", "")]
    [InlineData("0.log.1", 5, "", "0.log.1")]
    [InlineData("0.log.2 0.log.1.gz", 5, "", "0.log.2")]
    [InlineData("0.log.3 0.log.2.gz 0.log.1.gz 0.log.0.gz", 5, "0.log.0.gz", "0.log.3")]
    [InlineData("0.log.2 0.log.1", 5, "", "0.log.1 0.log.2")]
    [InlineData("0.log.2 0.log.1.gz", 2, "0.log.1.gz 0.log.2", "")]
    [InlineData("0.log.2 0.log.1.gz", 3, "0.log.1.gz", "0.log.2")]
    // Killed while compressing, and after it, before the plain file was removed.
    [InlineData("0.log.1 0.log.1.tmp", 5, "0.log.1.tmp", "0.log.1")]
    [InlineData("0.log.1 0.log.1.gz", 5, "0.log.1", "")]
    [InlineData("0.log.1.gz 0.log.1.gz.tmp", 5, "0.log.1.gz.tmp", "")]
    public void What_goes_and_what_is_compressed(string files, int maximum, string remove, string compress)
    {
        LogRotationPlan plan = LogRotationPlan.Of(files.Split(' ', StringSplitOptions.RemoveEmptyEntries), maximum);
        Assert.Equal(remove, string.Join(' ', plan.Remove));
        Assert.Equal(compress, string.Join(' ', plan.Compress));
    }

    [Fact]
    public void However_it_was_broken_off_the_newest_logs_stay_once_each_and_no_more_than_allowed()
    {
        var file = from stamp in Gen.Choose(0, 9) from suffix in Gen.Elements("", ".gz", ".tmp") select $"0.log.{stamp}{suffix}";
        var folders = from files in Gen.ListOf(file) from maximum in Gen.Choose(2, 8) select (Files: files.Distinct().ToArray(), Maximum: maximum);
        Prop.ForAll(folders.ToArbitrary(), folder =>
        {
            LogRotationPlan plan = LogRotationPlan.Of(folder.Files, folder.Maximum);
            string[] left = [.. folder.Files.Except(plan.Remove)];
            string Stamp(string name) => name.Split('.')[2];
            string[] wanted = [.. folder.Files.Where(f => !f.EndsWith(".tmp", StringComparison.Ordinal)).Select(Stamp).Distinct().OrderDescending().Take(folder.Maximum - 2)];
            // Live log and the one rotated next to those left.
            return left.Length + 2 <= Math.Max(2, folder.Maximum)
                && left.Select(Stamp).OrderDescending().SequenceEqual(wanted)
                && plan.Compress.All(c => left.Contains(c) && !c.EndsWith(".gz", StringComparison.Ordinal))
                && LogRotationPlan.Of([.. left.Select(f => f.EndsWith(".gz", StringComparison.Ordinal) ? f : f + ".gz")], folder.Maximum) is { Remove: [], Compress: [] };
        }).QuickCheckThrowOnFailure();
    }
}
