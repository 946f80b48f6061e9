using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Tests.Serialization;

public class KubernetesJsonTests
{
    private const string BigPod = """
        {"apiVersion":"v1","kind":"Pod",
         "metadata":{"name":"p","namespace":"n","uid":"u","generation":3,"creationTimestamp":"2026-01-02T03:04:05Z",
          "labels":{"app":"web"},"annotations":{"a/b":"{\"x\":1}"},"futureMeta":{"deep":[1,{"a":null}]},
          "managedFields":[{"manager":"m","operation":"Apply","time":"2026-01-02T03:04:05Z","fieldsV1":{"f:metadata":{"f:labels":{}}}}]},
         "spec":{"nodeName":"n1","hostNetwork":true,"terminationGracePeriodSeconds":0,"futureField":[true,1.5,"é"],
          "securityContext":{"runAsUser":0,"fsGroup":5,"seccompProfile":{"type":"RuntimeDefault"}},
          "volumes":[{"name":"v","emptyDir":{"sizeLimit":"1Gi"}},{"name":"f","futureSource":{"x":"y"}},
           {"name":"s","projected":{"defaultMode":420,"sources":[{"serviceAccountToken":{"path":"token","expirationSeconds":3607}}]}}],
          "initContainers":[{"name":"i","image":"b","restartPolicy":"Always"}],
          "containers":[{"name":"c","image":"a","ports":[{"containerPort":80,"protocol":"TCP"}],
           "env":[{"name":"E","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},{"name":"Z","value":""}],
           "resources":{"limits":{"cpu":"100m","memory":"128Mi"},"requests":{"cpu":"50m"}},
           "livenessProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":5},
           "readinessProbe":{"tcpSocket":{"port":80}},"futureOfContainer":7}],
          "tolerations":[{"key":"k","operator":"Exists","tolerationSeconds":300}]},
         "status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}],"hostIP":"1.2.3.4",
          "conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z"}],
          "containerStatuses":[{"name":"c","ready":true,"restartCount":0,"image":"a","imageID":"sha","state":{"running":{"startedAt":"2026-01-02T03:04:05Z"}}}]},
         "futureTop":"kept"}
        """;

    [Fact]
    public void A_big_pod_survives_a_round_trip_with_its_unknown_fields()
    {
        Pod pod = KubernetesJson.Deserialize<Pod>(BigPod);
        Golden.Same(JsonNode.Parse(BigPod), KubernetesJson.SerializeToNode(pod), "pod");
        Assert.Equal("n1", pod.Spec.NodeName);
        Assert.Equal(80, pod.Spec.Containers[0].Ports[0].ContainerPortValue);
        Assert.Equal(50, pod.Spec.Containers[0].Resources!.Requests["cpu"].MilliValue());
        Assert.True(pod.Spec.Containers[0].LivenessProbe!.HttpGet!.Port.IsString);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), pod.Metadata.CreationTimestamp);
        Assert.Equal(["10.0.0.1", "fd00::1"], pod.Status.PodIPs.Select(i => i.Ip));
        Assert.Equal("kept", pod.UnknownFields!["futureTop"].GetString());
    }

    [Theory]
    [InlineData("""{"metadata":{"name":"n","managedFields":[{"manager":"m"}],"uid":"u"}}""", """[{"manager":"m"}]""")]
    [InlineData("""{"metadata":{"managedFields":[],"uid":"u"}}""", null)]
    [InlineData("""{"metadata":{"managedFields":null,"uid":"u"}}""", null)]
    public void Of_the_managed_fields_the_text_is_kept_and_of_pods_only(string json, string? kept)
    {
        Pod pod = KubernetesJson.Deserialize<Pod>(json);
        Assert.Equal(kept, pod.Metadata.ManagedFields is { } text ? Encoding.UTF8.GetString(text.Span) : null);
        Service service = KubernetesJson.Deserialize<Service>(json);
        Assert.Null(service.Metadata.ManagedFields);
        Assert.Equal("u", service.Metadata.Uid);
        Assert.Equal("u", pod.Metadata.Uid);
    }

    [Theory]
    [InlineData("""{"kind":"Pod","metadata":{"name":"n","labels":{"resourceVersion":"no"},"resourceVersion":"12","uid":"u"},"spec":{broken""", "12")]
    [InlineData("""{"spec":{"metadata":{"resourceVersion":"no"}},"metadata":{"name":"n"}}""", null)]
    [InlineData("""{"metadata":null}""", null)]
    [InlineData("{}", null)]
    public void The_resource_version_is_found_without_reading_on(string json, string? version) =>
        Assert.Equal(version, KubernetesJson.ResourceVersion(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("""{"metadata":[]}""")]
    [InlineData("""{"metadata":{"resourceVersion":7}}""")]
    public void What_is_no_object_has_no_resource_version(string json) =>
        Assert.ThrowsAny<JsonException>(() => KubernetesJson.ResourceVersion(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void Lists_and_maps_are_never_null_whatever_the_json_says()
    {
        Pod pod = KubernetesJson.Deserialize<Pod>("""{"metadata":null,"spec":{"containers":null,"volumes":[null],"nodeSelector":null}}""");
        Assert.Empty(pod.Spec.Containers);
        Assert.Equal("", Assert.Single(pod.Spec.Volumes).Name);
        Assert.Empty(pod.Spec.NodeSelector);
        Assert.Empty(pod.Metadata.Labels);
        Assert.Empty(KubernetesJson.Deserialize<Pod>("{}").Status.Conditions);
        Assert.Empty(KubernetesJson.Deserialize<KubernetesList<Pod>>("""{"items":null}""").Items);
    }

    [Fact]
    public void Empty_and_unset_fields_are_not_written()
    {
        Pod pod = new() { Metadata = new() { Name = "p" }, Spec = new() { Containers = [new() { Name = "c" }], Volumes = [] } };
        Assert.Equal("""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c"}]}}""", KubernetesJson.Serialize(pod));
    }

    [Fact]
    public void Times_have_seconds_and_micro_times_six_digits()
    {
        DateTimeOffset time = new DateTimeOffset(2026, 1, 2, 5, 4, 5, TimeSpan.FromHours(2)).AddTicks(1234567);
        Lease lease = new() { Metadata = new() { CreationTimestamp = time }, Spec = new() { RenewTime = time } };
        string json = KubernetesJson.Serialize(lease);
        Assert.Contains("\"creationTimestamp\":\"2026-01-02T03:04:05Z\"", json, StringComparison.Ordinal);
        Assert.Contains("\"renewTime\":\"2026-01-02T03:04:05.123456Z\"", json, StringComparison.Ordinal);
        Lease back = KubernetesJson.Deserialize<Lease>(json);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddTicks(1234560), back.Spec.RenewTime);
    }

    [Fact]
    public void Names_count_by_case_and_the_other_case_is_an_unknown_field()
    {
        Pod pod = KubernetesJson.Deserialize<Pod>("""{"spec":{"nodename":"x"}}""");
        Assert.Null(pod.Spec.NodeName);
        Assert.True(pod.Spec.UnknownFields!.ContainsKey("nodename"));
    }

    [Fact]
    public void Escaped_field_names_are_recognised() =>
        Assert.Equal("x", KubernetesJson.Deserialize<Pod>("""{"spec":{"\u006eodeName":"x"}}""").Spec.NodeName);

    [Theory]
    [InlineData("""{"spec":{"containers":[{"name":"a"},{"ports":[{"containerPort":"80"}]}]}}""", "spec.containers[1].ports[0].containerPort")]
    [InlineData("""{"spec":{"hostNetwork":"true"}}""", "spec.hostNetwork")]
    [InlineData("""{"spec":{"containers":{}}}""", "spec.containers")]
    [InlineData("""{"metadata":{"labels":{"a":1}}}""", "metadata.labels.a")]
    [InlineData("""{"metadata":{"creationTimestamp":"yesterday"}}""", "metadata.creationTimestamp")]
    [InlineData("""{"spec":{"overhead":{"cpu":"1x"}}}""", "spec.overhead.cpu")]
    [InlineData("""{"spec":{"activeDeadlineSeconds":1.5}}""", "spec.activeDeadlineSeconds")]
    [InlineData("""[]""", "(root)")]
    public void Wrong_shapes_are_refused_with_their_path(string json, string path) =>
        Assert.Equal(path, Assert.Throws<JsonException>(() => KubernetesJson.Deserialize<Pod>(json)).Path);

    [Theory]
    [InlineData("""{"spec":{"nodeName":"x"}""")]
    [InlineData("""{} x""")]
    [InlineData("")]
    [InlineData("""{"spec":{"nodeName":"\ud800"}}""")]
    public void Broken_json_is_refused(string json) => Assert.Throws<JsonException>(() => KubernetesJson.Deserialize<Pod>(json));

    [Fact]
    public void Quantities_may_be_numbers_and_int_or_strings_stay_what_they_are()
    {
        Pod pod = KubernetesJson.Deserialize<Pod>("""{"spec":{"overhead":{"cpu":2},"containers":[{"name":"c","livenessProbe":{"tcpSocket":{"port":"80"}}}]}}""");
        Assert.Equal("2", pod.Spec.Overhead["cpu"].ToString());
        Assert.Contains("\"port\":\"80\"", KubernetesJson.Serialize(pod), StringComparison.Ordinal);
    }

    [Fact]
    public void Secret_data_is_bytes()
    {
        Secret secret = KubernetesJson.Deserialize<Secret>("""{"data":{"k":"aGk="}}""");
        Assert.Equal("hi"u8.ToArray(), secret.Data["k"]);
        Assert.Contains("\"k\":\"aGk=\"", KubernetesJson.Serialize(secret), StringComparison.Ordinal);
    }

    [Fact]
    public void Lists_read_items_and_the_continue_token()
    {
        KubernetesList<Node> list = KubernetesJson.Deserialize<KubernetesList<Node>>(
            """{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"9","continue":"t"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}""");
        Assert.Equal(["a", "b"], list.Items.Select(n => n.Metadata.Name));
        Assert.Equal(("9", "t"), (list.Metadata.ResourceVersion, list.Metadata.Continue));
        Assert.All(list.Items, n => Assert.Equal(("v1", "Node"), (n.ApiVersion, n.Kind)));
        Assert.True(KubernetesJson.ContentEquals(list, KubernetesJson.Deserialize<KubernetesList<Node>>(KubernetesJson.Serialize(list))));
    }

    [Fact]
    public void Content_equality_sees_inside_lists()
    {
        Pod a = KubernetesJson.Deserialize<Pod>(BigPod);
        Pod b = KubernetesJson.Deserialize<Pod>(BigPod);
        Assert.True(KubernetesJson.ContentEquals(a, b));
        Assert.False(KubernetesJson.ContentEquals(a, b with { Spec = b.Spec with { NodeName = "n2" } }));
    }
}
