using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Allocation;

public sealed class ResourceStateFileTests
{
    private static readonly PodUid Uid = new("uid-web");

    private static ResourceRequirements Cpu(string request) => new() { Requests = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse(request) } };

    private static ImmutableDictionary<PodUid, PodResourceRecord> One(string request) => ImmutableDictionary<PodUid, PodResourceRecord>.Empty
        .Add(Uid, PodResourceRecord.Empty with { Containers = ImmutableDictionary<string, ResourceRequirements>.Empty.Add("main", Cpu(request)) });

    [Fact]
    public void The_checksum_is_upstreams() => Assert.Equal(1178570812u, ResourceStateFile.Checksum(
        """{"entries":{"pod1":{"ContainerResources":{"container1":{"requests":{"cpu":"1Ki","memory":"1Ki"}}}}}}"""));

    [Fact]
    public void The_file_has_upstreams_form()
    {
        string text = Encoding.UTF8.GetString(ResourceStateFile.Format(One("100m")));
        const string data = """{"entries":{"uid-web":{"ContainerResources":{"main":{"requests":{"cpu":"100m"}}},"PodLevelResources":null}}}""";
        string escaped = data.Replace("\"", "\\u0022", StringComparison.Ordinal);
        Assert.Equal($$"""{"data":"{{escaped}}","checksum":{{ResourceStateFile.Checksum(data)}}}""", text);
    }

    [Fact]
    public void Pods_and_containers_are_in_order_and_a_changed_record_is_formatted_anew()
    {
        PodResourceRecord web = One("100m")[Uid];
        ImmutableDictionary<PodUid, PodResourceRecord> records = One("1")
            .SetItem(Uid, web with { PodLevel = Cpu("2"), Containers = web.Containers.Add("B", ResourceRequirements.Empty) }).Add(new PodUid("a+\"b"), web);
        const string one = """{"main":{"requests":{"cpu":"100m"}}}""";
        for (int i = 0; i < 2; i++)
        {
            using JsonDocument file = JsonDocument.Parse(ResourceStateFile.Format(records));
            string data = file.RootElement.GetProperty("data").GetString()!;
            Assert.Equal(
                """{"entries":{"a\u002B\u0022b":{"ContainerResources":""" + one + ""","PodLevelResources":null},"uid-web":{"ContainerResources":{"B":{},"""
                    + one[1..] + ""","PodLevelResources":{"requests":{"cpu":"2"}}}}}""", data);
            Assert.Equal(ResourceStateFile.Checksum(data), file.RootElement.GetProperty("checksum").GetUInt32());
        }

        Assert.Contains("300m", Encoding.UTF8.GetString(ResourceStateFile.Format(records.SetItem(Uid, web with { PodLevel = Cpu("300m") }))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_burst_what_is_new_is_gathered_and_what_replaces_is_written_at_once()
    {
        var time = new FakeTimeProvider();
        var writes = new List<byte[]>();
        PodResourceState state = PodResourceState.Load("state", null, content =>
        {
            writes.Add(content);
            return Task.CompletedTask;
        }, NullLogger.Instance, time);
        await state.AddAsync(Uid, One("1")[Uid]);
        Assert.Single(writes);
        Task[] more = [.. Enumerable.Range(0, 50).Select(i => state.AddAsync(new PodUid($"uid-{i}"), One("1")[Uid]))];
        state.Set(Uid, "other", Cpu("1"));
        await state.AddAsync(Uid, One("5")[Uid]);
        state.Set(Uid, "other", Cpu("1000m"));
        Assert.Single(writes);
        Assert.DoesNotContain(more, t => t.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(100));
        await Task.WhenAll(more);
        Assert.Equal(2, writes.Count);
        Assert.Equal(51, ResourceStateFile.Parse(writes[^1]).Count);

        Task late = state.AddAsync(new PodUid("late"), One("1")[Uid]);
        state.Set(Uid, "main", Cpu("2"));
        Assert.Equal(3, writes.Count);
        PodResourceRecord read = ResourceStateFile.Parse(writes[^1])[Uid];
        Assert.Equal((Quantity.Parse("2"), Quantity.Parse("1")), (read.Containers["main"].Requests["cpu"], read.Containers["other"].Requests["cpu"]));
        time.Advance(TimeSpan.FromMilliseconds(100));
        await late;
        Assert.Equal(3, writes.Count);
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        ImmutableDictionary<PodUid, PodResourceRecord> read = ResourceStateFile.Parse(ResourceStateFile.Format(One("250m")));
        Assert.Equal(Quantity.Parse("250m"), read[Uid].Containers["main"].Requests["cpu"]);
        Assert.Null(read[Uid].PodLevel);
        Assert.Empty(ResourceStateFile.Parse(ResourceStateFile.Format(ImmutableDictionary<PodUid, PodResourceRecord>.Empty)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"data":"{}","checksum":1}""")]
    [InlineData("""{"data":"no json","checksum":0}""")]
    public void What_was_changed_is_refused(string text) => Assert.Throws<FormatException>(() => ResourceStateFile.Parse(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public async Task Changes_that_come_together_share_a_write_and_one_that_fails_is_made_up_for_by_the_next()
    {
        var writes = new List<byte[]>();
        var gate = new TaskCompletionSource();
        bool fails = false;
        PodResourceState state = PodResourceState.Load("state", null, async content =>
        {
            await gate.Task;
            writes.Add(content);
            if (fails)
            {
                throw new IOException("no space left");
            }
        }, NullLogger.Instance);
        Task first = state.SetAsync(Uid, One("1")[Uid]);
        Task[] more = [.. Enumerable.Range(2, 5).Select(i => state.SetAsync(Uid, One($"{i}")[Uid]))];
        Assert.Equal(Quantity.Parse("6"), state.Get(Uid, "main")!.Requests["cpu"]);
        gate.SetResult();
        await Task.WhenAll([first, .. more]);
        Assert.InRange(writes.Count, 1, 2);
        fails = true;
        await Assert.ThrowsAsync<IOException>(() => state.SetAsync(Uid, One("7")[Uid]));
        fails = false;
        await state.SetAsync(new PodUid("other"), One("1")[Uid]);
        Assert.Equal(Quantity.Parse("7"), ResourceStateFile.Parse(writes[^1])[Uid].Containers["main"].Requests["cpu"]);
    }

    [Fact]
    public void A_file_that_cannot_be_read_counts_as_empty() =>
        Assert.Null(PodResourceState.Load("state", "{"u8.ToArray(), _ => Task.CompletedTask, NullLogger.Instance).Get(Uid));
}
