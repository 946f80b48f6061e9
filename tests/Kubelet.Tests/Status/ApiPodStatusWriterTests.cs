using System.Net;
using System.Text;
using NodeAgent.Kubelet.Status;
using NodeAgent.Kubelet.Tests.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Patches;

namespace NodeAgent.Kubelet.Tests.Status;

/// <summary>What a written status leaves known of the pod.</summary>
public sealed class ApiPodStatusWriterTests
{
    private static readonly Pod Before = new()
    {
        Metadata = new ObjectMeta { Name = "p", Namespace = "n", Uid = "u", ResourceVersion = "7", Labels = new Dictionary<string, string> { ["a"] = "b" } },
        Status = new PodStatus { Phase = "Pending" },
    };

    private static readonly PodStatus Wanted = new() { Phase = "Running" };

    private readonly FakeClient _client = new();
    private readonly List<string> _sent = [];

    private ApiPodStatusWriter Writer => new(_client, (a, b) => StrategicMergePatch.Create(a, b) is { Count: > 0 } patch ? patch : null);

    [Theory]
    [InlineData(true, """{"status":{"phase":"Running"},"metadata":{"uid":"u","resourceVersion":"7"}}""")]
    [InlineData(false, """{"status":{"phase":"Running"},"metadata":{"uid":"u"}}""")]
    public async Task Over_a_known_version_the_pod_is_what_it_was_with_what_was_written_else_what_the_server_says(bool exactly, string sent)
    {
        Answer(new Pod { Metadata = new ObjectMeta { Uid = "u", ResourceVersion = "9" }, Status = new PodStatus { Phase = "Running", Reason = "Theirs" } });
        Pod? after = await Writer.PatchStatusAsync(Before, Wanted, exactly, CancellationToken.None);
        Assert.Equal([sent], _sent);
        Assert.Equal("9", after!.Metadata.ResourceVersion);
        Assert.Equal("Running", after.Status.Phase);
        Assert.Equal(exactly ? null : "Theirs", after.Status.Reason);
        Assert.Equal(exactly ? 1 : 0, after.Metadata.Labels.Count);
    }

    [Fact]
    public async Task Nothing_to_write_is_not_sent()
    {
        Assert.Same(Before, await Writer.PatchStatusAsync(Before, Before.Status with { }, true, CancellationToken.None));
        Assert.Empty(_sent);
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound, "NotFound")]
    [InlineData(HttpStatusCode.Conflict, "Conflict: the UID in the precondition")]
    public async Task A_pod_that_is_gone_or_another_is_none(HttpStatusCode code, string message)
    {
        Refuse(code, message);
        Assert.Null(await Writer.PatchStatusAsync(Before, Wanted, true, CancellationToken.None));
        Assert.Null(await Writer.PatchStatusAsync(Before, Wanted, false, CancellationToken.None));
    }

    [Fact]
    public async Task Another_version_is_told_only_to_who_wants_that_very_one()
    {
        Refuse(HttpStatusCode.Conflict, "the object has been modified");
        await Assert.ThrowsAsync<StalePodException>(() => Writer.PatchStatusAsync(Before, Wanted, true, CancellationToken.None));
        await Assert.ThrowsAsync<Kubernetes.Rest.ApiException>(() => Writer.PatchStatusAsync(Before, Wanted, false, CancellationToken.None));
    }

    private void Answer(Pod pod) => _client.Patches = patch =>
    {
        _sent.Add(Encoding.UTF8.GetString(patch.Body.Span));
        return pod;
    };

    private void Refuse(HttpStatusCode code, string message) => _client.Patches = _ => throw new Kubernetes.Rest.ApiException(
        new Kubernetes.Objects.Status { Reason = code == HttpStatusCode.NotFound ? "NotFound" : "Conflict", Message = message, Code = (int)code }, code, "PATCH");
}
