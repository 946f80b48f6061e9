using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Tests.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Tests.Pods;

public sealed class PodObjectDeletionTests
{
    private readonly FakeClient _client = new() { Deletes = (name, _) => Task.FromException(FakeClient.NotFound("pod", name)) };

    private static Pod Pod { get; } = TestPods.Pod();

    [Fact]
    public async Task A_server_that_does_not_find_a_pod_it_has_is_not_believed()
    {
        _client.Objects["web"] = Pod;
        await Assert.ThrowsAsync<ApiException>(() => _client.DeletePodObjectAsync(Pod, default));
    }

    [Fact]
    public async Task A_pod_that_is_gone_is_deleted()
    {
        await _client.DeletePodObjectAsync(Pod, default);
        Assert.Equal(1, _client.Reads);
    }

    [Fact]
    public async Task Another_pod_of_the_name_is_left_alone()
    {
        _client.Objects["web"] = Pod with { Metadata = Pod.Metadata with { Uid = "another" } };
        await _client.DeletePodObjectAsync(Pod, default);
        Assert.Equal(1, _client.Reads);
    }

    [Fact]
    public async Task It_asks_for_this_very_pod_with_no_grace()
    {
        DeleteOptions? asked = null;
        _client.Deletes = (_, options) =>
        {
            asked = options;
            return Task.CompletedTask;
        };
        await _client.DeletePodObjectAsync(Pod, default);
        Assert.Equal((0L, Pod.Metadata.Uid), (asked?.GracePeriodSeconds, asked?.Preconditions?.Uid));
        Assert.Equal(0, _client.Reads);
    }
}
