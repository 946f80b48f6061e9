using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Tests.Objects;

public class ObjectTests
{
    [Fact]
    public void Resources_know_path_group_and_scope()
    {
        Assert.Equal(("/api/v1", "v1", "pods", true), (Resources.Pods.ApiPath, Resources.Pods.ApiVersion, Resources.Pods.Plural, Resources.Pods.Namespaced));
        Assert.Equal("/apis/discovery.k8s.io/v1", Resources.EndpointSlices.ApiPath);
        Assert.False(Resources.Nodes.Namespaced);
        Assert.Equal(("/api/v1", "serviceaccounts", "token", "authentication.k8s.io/v1"),
            (Resources.TokenRequests.ApiPath, Resources.TokenRequests.Plural, Resources.TokenRequests.Subresource, Resources.TokenRequests.ApiVersion));
    }

    [Fact]
    public void A_new_object_states_its_kind_and_has_no_nulls()
    {
        Pod pod = new();
        Assert.Equal(("v1", "Pod"), (pod.ApiVersion, pod.Kind));
        Assert.Empty(pod.Spec.Containers);
        Assert.Empty(pod.Spec.NodeSelector);
        Assert.Empty(pod.Metadata.Labels);
        Assert.Empty(pod.Status.Conditions);
    }

    [Fact]
    public void Setting_null_gives_the_empty_value()
    {
        PodSpec spec = new() { Containers = null!, NodeSelector = null! };
        Assert.Empty(spec.Containers);
        Assert.Empty(spec.NodeSelector);
        Assert.Empty((spec with { Containers = null! }).Containers);
        Assert.NotNull(new Pod { Spec = null!, Metadata = null! }.Spec);
        Assert.Equal("", new Container { Name = null! }.Name);
    }

    [Fact]
    public void The_text_of_a_secret_names_it_and_shows_nothing_else()
    {
        Secret secret = new() { Metadata = new() { Name = "s", Namespace = "n" }, StringData = new Dictionary<string, string> { ["k"] = "hidden" } };
        Assert.Equal("Secret n/s", secret.ToString());
        Assert.DoesNotContain("hidden", new TokenRequestStatus { Token = "hidden" }.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void References_carry_identity_and_field_path()
    {
        Pod pod = new()
        {
            Metadata = new() { Name = "p", Namespace = "n", Uid = "u", ResourceVersion = "5" },
            Spec = new() { InitContainers = [new() { Name = "i" }], Containers = [new() { Name = "c" }] },
        };
        ObjectReference expected = new() { ApiVersion = "v1", Kind = "Pod", Namespace = "n", Name = "p", Uid = "u", ResourceVersion = "5" };
        Assert.Equal(expected, ObjectReferences.To(pod));
        Assert.Equal("spec.containers{c}", ObjectReferences.ToContainer(pod, "c").FieldPath);
        Assert.Equal("spec.initContainers{i}", ObjectReferences.ToContainer(pod, "i").FieldPath);
        Pod owned = new() { Metadata = new() { OwnerReferences = [ObjectReferences.ControlledBy(pod)] } };
        Assert.Equal("u", ObjectReferences.ControllerOf(owned)?.Uid);
        Assert.Null(ObjectReferences.ControllerOf(pod));
    }

    [Fact]
    public void Int_or_string_keeps_digits_in_a_string_apart_from_a_number()
    {
        Assert.NotEqual(new IntOrString(80), new IntOrString("80"));
        Assert.Equal(80, new IntOrString("80").IntValue);
        Assert.Equal(0, new IntOrString("http").IntValue);
        Assert.False(IntOrString.Parse("80").IsString);
        Assert.True(IntOrString.Parse("http").IsString);
        Assert.Equal("0", default(IntOrString).ToString());
    }
}
