using System.Security.Authentication;
using NodeAgent.Kubelet.Server;
using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Tests.Server;

public sealed class ServerRulesTests
{
    [Theory]
    [InlineData("GET", "/pods", "get", "pods proxy")]
    [InlineData("GET", "/podsx", "get", "proxy")]
    [InlineData("GET", "/runningpods/", "get", "pods proxy")]
    [InlineData("GET", "/healthz/syncloop", "get", "healthz proxy")]
    [InlineData("GET", "/configz", "get", "configz proxy")]
    [InlineData("GET", "/stats/summary", "get", "stats")]
    [InlineData("GET", "/metrics/cadvisor", "get", "metrics")]
    [InlineData("GET", "/logs/", "get", "log")]
    [InlineData("POST", "/checkpoint/a/b/c", "create", "checkpoint")]
    [InlineData("GET", "/statusz", "get", "statusz")]
    [InlineData("GET", "/flagz", "get", "configz")]
    [InlineData("POST", "/exec/a/b/c", "create", "proxy")]
    [InlineData("DELETE", "/run/a/b/c", "delete", "proxy")]
    [InlineData("HEAD", "/containerLogs/a/b/c", "", "proxy")]
    public void Paths_become_attributes(string method, string path, string verb, string subresources)
    {
        NodeRequestAttributes attributes = NodeRequestAttributes.Of(method, path);
        Assert.Equal((verb, subresources), (attributes.Verb, string.Join(' ', attributes.Subresources)));
    }

    [Theory]
    [InlineData("input=1&output=1&tty=1&error=1", true, true, false, true)]
    [InlineData("output=true&error=true", false, true, true, false)]
    public void Stream_options(string query, bool stdin, bool stdout, bool stderr, bool tty) =>
        Assert.Equal(new StreamOptions(stdin, stdout, stderr, tty), StreamOptions.Parse(Query(query)));

    [Fact]
    public void No_stream_is_no_option() => Assert.Null(StreamOptions.Parse(Query("tty=1&output=0")));

    [Theory]
    [InlineData("running", null, false, "c://now", null)]
    [InlineData("running", "c://old", true, "c://old", null)]
    [InlineData("running", null, true, null, "previous terminated container \"main\" in pod \"web\" not found")]
    [InlineData("terminated", null, false, "c://done", null)]
    [InlineData("waiting:ErrImagePull", null, false, null, "container \"main\" in pod \"web\" is waiting to start: image can't be pulled")]
    [InlineData("waiting:ImagePullBackOff", null, false, null, "container \"main\" in pod \"web\" is waiting to start: trying and failing to pull image")]
    [InlineData("waiting:CrashLoopBackOff", "c://old", false, "c://old", null)]
    [InlineData("waiting:ContainerCreating", null, false, null, "container \"main\" in pod \"web\" is waiting to start: ContainerCreating")]
    [InlineData("", null, false, null, "container \"main\" in pod \"web\" is not available")]
    public void Which_instance_a_log_request_means(string state, string? last, bool previous, string? id, string? error)
    {
        ContainerState? now = state.Split(':') switch
        {
            ["running"] => new ContainerState { Running = new ContainerStateRunning() },
            ["terminated"] => new ContainerState { Terminated = new ContainerStateTerminated { ContainerID = "c://done" } },
            ["waiting", var reason] => new ContainerState { Waiting = new ContainerStateWaiting { Reason = reason } },
            _ => null,
        };
        Pod pod = TestPods.Pod();
        pod = now is null ? pod : pod with
        {
            Status = pod.Status with
            {
                ContainerStatuses = [new ContainerStatus { Name = "main", ContainerID = "c://now", State = now, LastState = last is null ? null : new ContainerState { Terminated = new ContainerStateTerminated { ContainerID = last } } }],
            },
        };
        Assert.Equal((id, error), ContainerLogTarget.Find(pod, "main", previous));
    }

    [Fact]
    public void Tls_versions_and_suites_are_read_or_refused_by_name()
    {
        Assert.Equal(SslProtocols.Tls13, KubeletServerOptions.ParseMinimumVersion("VersionTLS13"));
        Assert.Throws<FormatException>(() => KubeletServerOptions.ParseMinimumVersion("VersionTLS10"));
        Assert.Equal(2, KubeletServerOptions.ParseCipherSuites(["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"]).Count);
        Assert.Contains("\"TLS_X\"", Assert.Throws<FormatException>(() => KubeletServerOptions.ParseCipherSuites(["TLS_X"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Health_lines_withhold_reasons()
    {
        (bool healthy, string text) = HealthzEndpoint.Check([new HealthCheck("ping", () => null), new HealthCheck("syncloop", () => "stuck since noon")]);
        Assert.False(healthy);
        Assert.Equal("[+]ping ok\n[-]syncloop failed: reason withheld\n", text);
    }

    [Theory]
    [InlineData("/metrics/cadvisor", "metrics/cadvisor")]
    [InlineData("/containerLogs/a/b/c", "containerLogs")]
    [InlineData("/etc/passwd", "other")]
    public void Metric_paths_are_few(string path, string bucket) => Assert.Equal(bucket, ServerMetrics.Bucket(path));

    [Fact]
    public void Metrics_are_written_as_prometheus_reads_them()
    {
        MetricsRegistry registry = new();
        registry.Counter("b_total", "Help\nme", "l").With("x\"y").Increment(2);
        registry.Gauge("a", "A").With().Set(1.5);
        registry.Histogram("h", "H", [1, 2.5]).With().Observe(2);
        registry.Gauge("unused", "never set", "l");
        Assert.Equal(
            "# HELP a A\n# TYPE a gauge\na 1.5\n# HELP b_total Help\\nme\n# TYPE b_total counter\nb_total{l=\"x\\\"y\"} 2\n" +
            "# HELP h H\n# TYPE h histogram\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"2.5\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n", registry.Write());
        Assert.Throws<InvalidOperationException>(() => registry.Gauge("b_total", "other kind", "l"));
    }

    private static Func<string, string?> Query(string query)
    {
        Dictionary<string, string> values = query.Split('&').Select(p => p.Split('=')).ToDictionary(p => p[0], p => p[1]);
        return values.GetValueOrDefault;
    }
}
