using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Sources;

public sealed class MirrorPlanTests
{
    private static readonly Node Here = new() { Metadata = new ObjectMeta { Name = "n1", Uid = "node-uid" } };

    private static Pod Static(string hash = "h1") => TestPods.Pod("etcd-n1") is var p ? p with
    {
        Metadata = p.Metadata with
        {
            Uid = hash,
            Annotations = new Dictionary<string, string>
            {
                [PodIdentityExtensions.ConfigHashAnnotation] = hash,
                [PodIdentityExtensions.ConfigSourceAnnotation] = "file",
                [PodIdentityExtensions.ConfigSeenAnnotation] = "2026-01-01T00:00:00Z",
                ["own"] = "kept",
            },
            OwnerReferences = [new OwnerReference { Kind = "ReplicaSet", Name = "x", Uid = "y", ApiVersion = "apps/v1" }],
        },
        Spec = p.Spec with { NodeName = "n1" },
        Status = new PodStatus { Phase = "Pending" },
    } : null!;

    private static Pod Mirror(string hash = "h1") => MirrorPlan.For(new MirrorSituation(Static(hash), null, Here)).Create! is var p
        ? p with { Metadata = p.Metadata with { Uid = "mirror-uid" } } : null!;

    [Fact]
    public void A_missing_mirror_is_made_with_the_hash_and_the_Node_as_its_only_owner()
    {
        MirrorPlan plan = MirrorPlan.For(new MirrorSituation(Static(), null, Here));
        Assert.Null(plan.Delete);
        ObjectMeta made = plan.Create!.Metadata;
        Assert.Equal("h1", made.Annotations["kubernetes.io/config.mirror"]);
        Assert.Equal("h1", made.Annotations["kubernetes.io/config.hash"]);
        Assert.Equal("file", made.Annotations["kubernetes.io/config.source"]);
        Assert.Equal("2026-01-01T00:00:00Z", made.Annotations["kubernetes.io/config.seen"]);
        Assert.Equal("kept", made.Annotations["own"]);
        OwnerReference owner = Assert.Single(made.OwnerReferences);
        Assert.Equal(("v1", "Node", "n1", "node-uid", true), (owner.ApiVersion, owner.Kind, owner.Name, owner.Uid, owner.Controller));
        Assert.True(string.IsNullOrEmpty(made.Uid), "the API server gives the UID");
        Assert.Null(plan.Create.Status.Phase);
    }

    [Fact]
    public void A_good_mirror_is_left_alone() =>
        Assert.Equal(MirrorPlan.Nothing, MirrorPlan.For(new MirrorSituation(Static(), Mirror(), Here)));

    [Fact]
    public void A_mirror_of_an_earlier_manifest_is_replaced()
    {
        MirrorPlan plan = MirrorPlan.For(new MirrorSituation(Static("h2"), Mirror("h1"), Here));
        Assert.Equal("mirror-uid", plan.Delete!.Metadata.Uid);
        Assert.Equal("h2", plan.Create!.MirrorHash);
    }

    [Fact]
    public void A_mirror_that_a_user_deletes_is_made_again()
    {
        MirrorPlan plan = MirrorPlan.For(new MirrorSituation(Static(), Mirror().Deleting(), Here));
        Assert.NotNull(plan.Delete);
        Assert.NotNull(plan.Create);
    }

    [Fact]
    public void Without_the_Node_or_with_a_Node_on_its_way_out_none_is_made()
    {
        Assert.Null(MirrorPlan.For(new MirrorSituation(Static(), null, null)).Create);
        Assert.Null(MirrorPlan.For(new MirrorSituation(Static(), null, new Node { Metadata = Here.Metadata with { Uid = null } })).Create);
        Assert.Null(MirrorPlan.For(new MirrorSituation(Static(), null, new Node { Metadata = Here.Metadata with { DeletionTimestamp = DateTimeOffset.UnixEpoch } })).Create);
    }

    [Fact]
    public void A_mirror_without_a_static_pod_goes_but_not_before_every_source_has_delivered()
    {
        Assert.NotNull(MirrorPlan.For(new MirrorSituation(null, Mirror(), Here)).Delete);
        Assert.Equal(MirrorPlan.Nothing, MirrorPlan.For(new MirrorSituation(null, Mirror(), Here) { SourcesReady = false }));
    }

    [Fact]
    public void While_the_predecessor_ends_its_mirror_stays()
    {
        Assert.Equal(MirrorPlan.Nothing, MirrorPlan.For(new MirrorSituation(null, Mirror(), Here) { PredecessorEnding = true }));
        Assert.Equal(MirrorPlan.Nothing, MirrorPlan.For(new MirrorSituation(Static("h2"), Mirror("h1"), Here) { PredecessorEnding = true }));
    }
}
