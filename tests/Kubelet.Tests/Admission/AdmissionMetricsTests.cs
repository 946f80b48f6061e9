using NodeAgent.Kubelet.Admission;

namespace NodeAgent.Kubelet.Tests.Admission;

public sealed class AdmissionMetricsTests
{
    [Theory]
    [InlineData("OutOfcpu", "OutOfcpu")]
    [InlineData("OutOfexample.com/dongle", "OutOfExtendedResources")]
    [InlineData("Evicted", "Evicted")]
    [InlineData("NodeAffinity", "Other")]
    [InlineData("made up", "Other")]
    public void Reasons_that_anyone_can_make_up_are_counted_together(string reason, string label) => Assert.Equal(label, AdmissionMetrics.LabelOf(reason));
}
