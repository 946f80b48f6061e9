using System.Text;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.StandInApiServer.Tests;

public sealed class ObjectTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly KubernetesClient _admin = fixture.Admin;

    [Fact]
    public async Task A_created_object_has_uid_version_and_time_and_a_second_of_its_name_is_refused()
    {
        string ns = await fixture.NewNamespaceAsync();
        ConfigMap created = await _admin.CreateAsync(Map(ns, "a", "1"));
        Assert.NotEmpty(created.Metadata.Uid!);
        Assert.NotNull(created.Metadata.CreationTimestamp);
        Assert.True(long.Parse(created.Metadata.ResourceVersion!) > 0);
        ApiException taken = await Assert.ThrowsAsync<ApiException>(() => _admin.CreateAsync(Map(ns, "a", "2")));
        Assert.True(taken.IsAlreadyExists);
        Assert.Equal("configmaps \"a\" already exists", taken.Message);
    }

    [Fact]
    public async Task An_update_from_an_old_version_conflicts_and_one_without_change_keeps_the_version()
    {
        string ns = await fixture.NewNamespaceAsync();
        ConfigMap first = await _admin.CreateAsync(Map(ns, "a", "1"));
        ConfigMap same = await _admin.UpdateAsync(first);
        Assert.Equal(first.Metadata.ResourceVersion, same.Metadata.ResourceVersion);
        ConfigMap second = await _admin.UpdateAsync(first with { Data = new Dictionary<string, string> { ["k"] = "2" } });
        Assert.True(long.Parse(second.Metadata.ResourceVersion!) > long.Parse(first.Metadata.ResourceVersion!));
        ApiException conflict = await Assert.ThrowsAsync<ApiException>(
            () => _admin.UpdateAsync(first with { Data = new Dictionary<string, string> { ["k"] = "3" } }));
        Assert.True(conflict.IsConflict);
    }

    [Fact]
    public async Task A_missing_object_and_a_missing_namespace_are_not_found()
    {
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => _admin.GetAsync<Pod>("default", "nobody"))).IsNotFound);
        ApiException home = await Assert.ThrowsAsync<ApiException>(() => _admin.CreateAsync(Map("nowhere", "a", "1")));
        Assert.Equal("namespaces \"nowhere\" not found", home.Message);
    }

    [Theory]
    [InlineData("application/merge-patch+json", """{"data":{"k":"2"}}""")]
    [InlineData("application/json-patch+json", """[{"op":"replace","path":"/data/k","value":"2"}]""")]
    [InlineData("application/strategic-merge-patch+json", """{"data":{"k":"2"}}""")]
    public async Task Each_kind_of_patch_changes_the_object(string contentType, string body)
    {
        string ns = await fixture.NewNamespaceAsync();
        await _admin.CreateAsync(Map(ns, "a", "1"));
        ConfigMap patched = await _admin.PatchAsync<ConfigMap>(ns, "a", new Patch(contentType, Encoding.UTF8.GetBytes(body)));
        Assert.Equal("2", patched.Data["k"]);
    }

    [Fact]
    public async Task A_strategic_patch_merges_conditions_by_type()
    {
        string ns = await fixture.NewNamespaceAsync();
        await _admin.CreateAsync(ServerFixture.Pod(ns, "p", "far-away"));
        await fixture.RunAsync(ns, "p", "10.0.0.1");
        Pod pod = await _admin.PatchAsync<Pod>(
            ns, "p", Patch.StrategicMerge(JsonNode.Parse("""{"status":{"conditions":[{"type":"Initialized","status":"True"}]}}""")!), "status");
        Assert.Equal(["Initialized", "Ready"], pod.Status.Conditions.Select(c => c.Type).Order());
        Assert.Equal("Running", pod.Status.Phase);
    }

    [Fact]
    public async Task A_patch_for_an_object_of_another_uid_conflicts()
    {
        string ns = await fixture.NewNamespaceAsync();
        await _admin.CreateAsync(ServerFixture.Pod(ns, "p", "far-away"));
        ApiException conflict = await Assert.ThrowsAsync<ApiException>(() => _admin.PatchAsync<Pod>(
            ns, "p", Patch.StrategicMerge(JsonNode.Parse("""{"metadata":{"uid":"other"},"status":{"phase":"Running"}}""")!), "status"));
        Assert.True(conflict.IsConflict);
    }

    [Fact]
    public async Task Pages_of_a_list_show_one_moment()
    {
        string ns = await fixture.NewNamespaceAsync();
        for (int i = 0; i < 5; i++)
            await _admin.CreateAsync(Map(ns, $"m{i}", "1"));
        KubernetesList<ConfigMap> first = await _admin.ListPageAsync<ConfigMap>(ns, new ListOptions { Limit = 2 });
        Assert.Equal(4, first.Metadata.RemainingItemCount);
        await _admin.CreateAsync(Map(ns, "m9", "1"));
        await _admin.DeleteAsync<ConfigMap>(ns, "m3");
        KubernetesList<ConfigMap> rest = await _admin.ListPageAsync<ConfigMap>(ns, new ListOptions { Limit = 10, Continue = first.Metadata.Continue });
        Assert.Equal(["kube-root-ca.crt", "m0", "m1", "m2", "m3", "m4"], first.Items.Concat(rest.Items).Select(m => m.Metadata.Name!));
        Assert.Equal(first.Metadata.ResourceVersion, rest.Metadata.ResourceVersion);
        fixture.Server.ForgetHistory();
        ApiException gone = await Assert.ThrowsAsync<ApiException>(
            () => _admin.ListPageAsync<ConfigMap>(ns, new ListOptions { Limit = 10, Continue = first.Metadata.Continue }));
        Assert.True(gone.IsExpired);
    }

    [Fact]
    public async Task Selectors_choose_by_label_and_field_and_unknown_fields_are_refused()
    {
        string ns = await fixture.NewNamespaceAsync();
        await _admin.CreateAsync(ServerFixture.Pod(ns, "a", "n-a", ("app", "x")));
        await _admin.CreateAsync(ServerFixture.Pod(ns, "b", "n-b", ("app", "y")));
        Assert.Equal("a", Assert.Single((await _admin.ListAsync<Pod>(ns, new ListOptions { LabelSelector = "app in (x,z)" })).Items).Metadata.Name);
        Assert.Equal("b", Assert.Single((await _admin.ListAsync<Pod>(ns, new ListOptions { FieldSelector = "spec.nodeName=n-b" })).Items).Metadata.Name);
        Assert.Equal("b", Assert.Single((await _admin.ListAsync<Pod>(ns, new ListOptions { FieldSelector = "metadata.name!=a" })).Items).Metadata.Name);
        ApiException refused = await Assert.ThrowsAsync<ApiException>(() => _admin.ListAsync<Pod>(ns, new ListOptions { FieldSelector = "spec.colour=red" }));
        Assert.Equal(400, (int)refused.StatusCode);
    }

    [Fact]
    public async Task A_bound_pod_is_deleted_in_two_steps_and_an_unbound_one_at_once()
    {
        string ns = await fixture.NewNamespaceAsync();
        Pod bound = await _admin.CreateAsync(ServerFixture.Pod(ns, "bound", "far-away"));
        await _admin.CreateAsync(ServerFixture.Pod(ns, "free") with { Spec = new PodSpec { SchedulerName = "none", Containers = [new Container { Name = "c", Image = "x" }] } });
        await _admin.DeleteAsync<Pod>(ns, "free");
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => _admin.GetAsync<Pod>(ns, "free"))).IsNotFound);

        await _admin.PatchAsync<Pod>(ns, "bound", Patch.Merge(JsonNode.Parse("""{"metadata":{"finalizers":["a/b"]}}""")!));
        await _admin.DeleteAsync<Pod>(ns, "bound", new DeleteOptions { GracePeriodSeconds = 20 });
        Pod marked = await _admin.GetAsync<Pod>(ns, "bound");
        Assert.Equal(20, marked.Metadata.DeletionGracePeriodSeconds);
        Assert.NotNull(marked.Metadata.DeletionTimestamp);
        ApiException other = await Assert.ThrowsAsync<ApiException>(() => _admin.DeleteAsync<Pod>(
            ns, "bound", new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions { Uid = "other" } }));
        Assert.True(other.IsConflict);
        await _admin.DeleteAsync<Pod>(ns, "bound", new DeleteOptions { GracePeriodSeconds = 0, Preconditions = new Preconditions { Uid = bound.Metadata.Uid } });
        Assert.Equal(0, (await _admin.GetAsync<Pod>(ns, "bound")).Metadata.DeletionGracePeriodSeconds);
        await _admin.PatchAsync<Pod>(ns, "bound", Patch.Merge(JsonNode.Parse("""{"metadata":{"finalizers":null}}""")!));
        Assert.True((await Assert.ThrowsAsync<ApiException>(() => _admin.GetAsync<Pod>(ns, "bound"))).IsNotFound);
    }

    [Fact]
    public async Task Generation_counts_changes_of_the_spec_only()
    {
        string ns = await fixture.NewNamespaceAsync();
        Pod pod = await _admin.CreateAsync(ServerFixture.Pod(ns, "p", "far-away"));
        Assert.Equal(1, pod.Metadata.Generation);
        Assert.Equal(1, (await fixture.RunAsync(ns, "p", "10.0.0.1")).Metadata.Generation);
        Pod changed = await _admin.PatchAsync<Pod>(ns, "p", Patch.Merge(JsonNode.Parse("""{"spec":{"activeDeadlineSeconds":100}}""")!));
        Assert.Equal(2, changed.Metadata.Generation);
        ApiException refused = await Assert.ThrowsAsync<ApiException>(
            () => _admin.PatchAsync<Pod>(ns, "p", Patch.Merge(JsonNode.Parse("""{"spec":{"restartPolicy":"Never"}}""")!)));
        Assert.True(refused.IsInvalid);
    }

    [Fact]
    public async Task A_pod_gets_the_defaults_of_the_real_server()
    {
        string ns = await fixture.NewNamespaceAsync();
        Pod pod = await _admin.CreateAsync(ServerFixture.Pod(ns, "p", "far-away"));
        Assert.Equal(("Always", "ClusterFirst", 30L, "default"), (pod.Spec.RestartPolicy, pod.Spec.DnsPolicy, pod.Spec.TerminationGracePeriodSeconds, pod.Spec.ServiceAccountName));
        Assert.Equal(2, pod.Spec.Tolerations.Count);
        Volume token = Assert.Single(pod.Spec.Volumes);
        Assert.Equal(3, token.Projected!.Sources.Count);
        Assert.Equal("/var/run/secrets/kubernetes.io/serviceaccount", Assert.Single(pod.Spec.Containers[0].VolumeMounts).MountPath);
        Assert.Equal(("Pending", "BestEffort", "Always"), (pod.Status.Phase, pod.Status.QosClass, pod.Spec.Containers[0].ImagePullPolicy));
    }

    [Fact]
    public async Task A_deleted_namespace_takes_its_content_along()
    {
        string ns = await fixture.NewNamespaceAsync();
        await _admin.CreateAsync(Map(ns, "a", "1"));
        await _admin.DeleteAsync<Namespace>(null, ns);
        await ServerFixture.EventuallyAsync(() => _admin.ListAsync<Namespace>(null), list => list.Items.All(n => n.Metadata.Name != ns));
        Assert.Empty((await _admin.ListAsync<ConfigMap>(ns)).Items);
    }

    private static ConfigMap Map(string ns, string name, string value) => new()
    {
        Metadata = new ObjectMeta { Namespace = ns, Name = name },
        Data = new Dictionary<string, string> { ["k"] = value },
    };
}
