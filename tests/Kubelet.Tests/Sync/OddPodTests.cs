using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Workers;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Sync;

/// <summary>What no API server lets pass, and what must not stop a pass all the same. Found by the fuzzed pods.</summary>
public sealed class OddPodTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch;

    [Theory]
    [InlineData(long.MaxValue, false)]
    [InlineData(long.MinValue, true)]
    [InlineData(-1, true)]
    public void A_deadline_out_of_all_bounds_is_the_nearest_that_can_be(long seconds, bool over)
    {
        Pod pod = TestPods.Pod();
        pod = pod with { Spec = pod.Spec with { ActiveDeadlineSeconds = seconds } };
        Assert.Equal(over, PodDeadline.Exceeded(pod, new PodStatus { StartTime = Now }, Now) is not null);
    }

    [Fact]
    public void A_grace_period_out_of_all_bounds_is_the_nearest_that_can_be() =>
        Assert.Equal(TimeSpan.FromSeconds(int.MaxValue), new PodWorkerState().Apply(TestPods.Pod().Deleting(long.MaxValue), removed: false, kill: null).Grace);

    [Fact]
    public void Two_containers_of_one_name_have_one_record_of_resources() =>
        Assert.Single(PodResourceRecord.Of(TestPods.Pod(containers: ["a", "a"])).Containers);

    [Theory]
    [InlineData("a", "a", "spec.containers[1].name \"a\" is used twice; give each container of the pod a name of its own")]
    [InlineData("..", "b", "spec.containers[0].name \"..\" cannot name a container; use lower-case letters, digits and '-'")]
    [InlineData("a", "b/c", "spec.containers[1].name \"b/c\" cannot name a container; use lower-case letters, digits and '-'")]
    [InlineData("a", "", "spec.containers[1].name \"\" cannot name a container; use lower-case letters, digits and '-'")]
    [InlineData("a", "b", null)]
    public void A_name_that_cannot_be_used_is_told(string first, string second, string? told) => Assert.Equal(told, PodNames.Wrong(TestPods.Pod(containers: [first, second])));
}
