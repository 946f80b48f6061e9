using System.Text;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Volumes;

public sealed class PayloadTests
{
    private static readonly Dictionary<string, Quantity> Allocatable = new() { ["cpu"] = Quantity.Parse("4"), ["memory"] = Quantity.Parse("8Gi") };

    private static ConfigMap Map(params string[] keys) => new()
    {
        Metadata = new ObjectMeta { Name = "cfg" },
        Data = keys.ToDictionary(k => k, k => "value of " + k),
        BinaryData = new Dictionary<string, byte[]> { ["bin"] = [0, 255] },
    };

    [Fact]
    public void All_keys_of_data_and_binary_data_become_files_with_the_default_mode()
    {
        Dictionary<string, FileProjection> files = ObjectPayloads.FromConfigMap([], Map("a..b", "c"), 0x120, optional: false);
        Assert.Equal(["a..b", "bin", "c"], files.Keys.Order());
        Assert.All(files.Values, f => Assert.Equal(0x120, f.Mode));
    }

    [Theory]
    [InlineData("..")]
    [InlineData("../../etc/cron.d/x")]
    [InlineData("a/b")]
    [InlineData("..data")]
    public void A_key_that_is_no_file_name_is_an_error_that_names_object_and_key(string key)
    {
        PayloadException e = Assert.Throws<PayloadException>(() => ObjectPayloads.FromConfigMap([], Map(key), null, optional: true));
        Assert.Contains("\"cfg\"", e.Message, StringComparison.Ordinal);
        Assert.Contains($"\"{key}\"", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Items_choose_path_and_mode_and_a_missing_key_is_upstreams_error_unless_optional()
    {
        KeyToPath[] items = [new() { Key = "c", Path = "x/y", Mode = 0x100 }, new() { Key = "no", Path = "no" }];
        Assert.Equal("configmap references non-existent config key: no", Assert.Throws<PayloadException>(() => ObjectPayloads.FromConfigMap(items, Map("c"), null, false)).Message);
        FileProjection only = Assert.Single(ObjectPayloads.FromConfigMap(items, Map("c"), null, true)).Value;
        Assert.Equal((0x100, "value of c"), (only.Mode, Encoding.UTF8.GetString(only.Data.Span)));
        Assert.Equal(
            "references non-existent secret key: no",
            Assert.Throws<PayloadException>(() => ObjectPayloads.FromSecret([items[1]], new Secret(), null, false)).Message);
    }

    [Fact]
    public void Labels_are_sorted_lines_quoted_as_go_does()
        => Assert.Equal(
            "a=\"1\"\nb=\"line\\nbreak \\\"q\\\" \\\\ \\t é \\x00 \\u00a0\"",
            DownwardApi.Lines(new Dictionary<string, string> { ["b"] = "line\nbreak \"q\" \\ \t é \0 \u00a0", ["a"] = "1" }));

    [Theory]
    [InlineData("limits.cpu", "1", "2")]
    [InlineData("limits.cpu", "1m", "1500")]
    [InlineData("requests.cpu", "1", "0")]
    [InlineData("limits.memory", "1Mi", "8192")]
    [InlineData("requests.memory", null, "67108864")]
    [InlineData("limits.hugepages-2Mi", null, "0")]
    public void Resources_are_rounded_up_and_missing_limits_are_the_nodes(string resource, string? divisor, string expected)
    {
        Pod pod = TestPods.Pod();
        pod = pod with
        {
            Spec = pod.Spec with
            {
                Containers = [pod.Spec.Containers[0] with { Resources = new ResourceRequirements
                {
                    Limits = new Dictionary<string, Quantity> { ["cpu"] = Quantity.Parse("1500m") },
                    Requests = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse("64Mi") },
                } }],
            },
        };
        var selector = new ResourceFieldSelector { ContainerName = "main", Resource = resource, Divisor = divisor is null ? null : Quantity.Parse(divisor) };
        Assert.Equal(expected, DownwardApi.Resource(pod, selector, Allocatable));
    }

    [Fact]
    public void Unknown_fields_are_refused_by_name()
    {
        Assert.Equal("unsupported fieldPath: spec.nodeName", Assert.Throws<PayloadException>(() => DownwardApi.Field(TestPods.Pod(), "spec.nodeName")).Message);
        Assert.Throws<PayloadException>(() => DownwardApi.Resource(TestPods.Pod(), new ResourceFieldSelector { ContainerName = "main", Resource = "limits.x" }, Allocatable));
        Assert.Equal("", DownwardApi.Field(TestPods.Pod(), "metadata.labels['x/y']"));
    }

    [Theory]
    [InlineData(null, null, 8L << 30)]
    [InlineData("1Gi", null, 1L << 30)]
    [InlineData("1Gi", "64Mi", 64L << 20)]
    [InlineData("1Gi", "2Gi", 1L << 30)]
    [InlineData(null, "0", 8L << 30)]
    public void Memory_volumes_take_the_least_of_node_pod_and_their_own_limit(string? podLimit, string? sizeLimit, long expected)
    {
        Pod pod = TestPods.Pod();
        if (podLimit is not null)
        {
            pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { Resources = new ResourceRequirements { Limits = new Dictionary<string, Quantity> { ["memory"] = Quantity.Parse(podLimit) } } }] } };
        }

        Assert.Equal(expected, VolumeFacts.MemorySize(pod, sizeLimit is null ? null : Quantity.Parse(sizeLimit), Allocatable));
    }

    [Fact]
    public void A_user_is_shared_only_where_all_containers_have_it()
    {
        Pod two = TestPods.Pod("p", "Always", "a", "b");
        Assert.Null(VolumeFacts.SharedUser(two));
        Pod both = two with { Spec = two.Spec with { SecurityContext = new PodSecurityContext { RunAsUser = 1000 } } };
        Assert.Equal(1000u, VolumeFacts.SharedUser(both));
        Pod differ = both with { Spec = both.Spec with { Containers = [both.Spec.Containers[0], both.Spec.Containers[1] with { SecurityContext = new SecurityContext { RunAsUser = 0 } }] } };
        Assert.Null(VolumeFacts.SharedUser(differ));
    }

    [Fact]
    public void Nested_mount_points_are_the_topmost_folders_inside_the_volume()
    {
        Pod pod = TestPods.Pod();
        pod = pod with
        {
            Spec = pod.Spec with
            {
                Containers = [pod.Spec.Containers[0] with { VolumeMounts =
        [
            new() { Name = "cfg", MountPath = "/etc/cfg" }, new() { Name = "x", MountPath = "/etc/cfg/a/b/" },
            new() { Name = "y", MountPath = "/etc/cfg/a/b/c" }, new() { Name = "z", MountPath = "/etc/cfgother" },
        ] }]
            }
        };
        Assert.Equal(["a/b"], VolumeFacts.NestedMountPoints(pod, "cfg"));
    }

    [Theory]
    [InlineData(3600, 0, 2880)]
    [InlineData(600, 10, 470)]
    [InlineData(7 * 86400, 0, 86400)]
    public void Tokens_are_renewed_at_80_percent_or_a_day_less_the_jitter(int life, int jitter, int expected)
    {
        var issued = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Assert.Equal(issued.AddSeconds(expected), TokenLife.RefreshAt(issued.AddSeconds(life), TimeSpan.FromSeconds(life), TimeSpan.FromSeconds(jitter)));
    }

    [Theory]
    [InlineData("HugePages", "hugepages-2Mi", "2Mi")]
    [InlineData("HugePages-1Gi", "hugepages-2Mi,hugepages-1Gi", "1Gi")]
    [InlineData("HugePages", "hugepages-2Mi,hugepages-1Gi", null)]
    [InlineData("HugePages", "cpu", null)]
    [InlineData("HugePages-1Gi", "hugepages-2Mi", null)]
    [InlineData("HugePagesX", "hugepages-2Mi", null)]
    public void Page_sizes_follow_what_containers_ask_for(string medium, string requests, string? expected)
    {
        Pod pod = TestPods.Pod();
        pod = pod with { Spec = pod.Spec with { Containers = [pod.Spec.Containers[0] with { Resources = new ResourceRequirements { Requests = requests.Split(',').ToDictionary(r => r, _ => Quantity.Parse("1Gi")) } }] } };
        if (expected is null)
        {
            Assert.Throws<PayloadException>(() => HugePages.PageSize(medium, pod));
        }
        else
        {
            Assert.Equal(expected, HugePages.PageSize(medium, pod));
        }
    }
}
