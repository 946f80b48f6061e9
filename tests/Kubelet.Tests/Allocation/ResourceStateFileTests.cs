using System.Collections.Immutable;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

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
