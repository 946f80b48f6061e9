using NodeAgent.Kubernetes.Metrics;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubernetes.Tests.Rest;

/// <summary>rest_client_* by upstream's labels, with answers of a server that is scripted.</summary>
public sealed class RequestMetricsTests
{
    private readonly MetricsRegistry _registry = new();

    private KubernetesClientOptions Options => new() { Qps = 0, Metrics = new RequestMetrics(_registry) };

    [Fact]
    public async Task Each_try_is_counted_by_its_status_and_a_request_with_all_its_tries_is_measured_once()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        int asked = 0;
        server.Answer = context =>
        {
            if (++asked == 1)
            {
                context.Response.StatusCode = 429;
                context.Response.Headers.RetryAfter = "0";
                return Task.CompletedTask;
            }

            return ScriptedApiServer.JsonAsync(context, """{"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}}""");
        };
        using KubernetesClient client = server.Client(Options);
        await client.GetAsync<Node>(null, "a");
        Holds($"rest_client_requests_total{{code=\"429\",method=\"GET\",host=\"{server.Address.Authority}\"}} 1");
        Holds($"rest_client_requests_total{{code=\"200\",method=\"GET\",host=\"{server.Address.Authority}\"}} 1");
        Holds($"rest_client_request_duration_seconds_count{{verb=\"GET\",host=\"{server.Address.Authority}\"}} 1");
        Holds($"rest_client_rate_limiter_duration_seconds_count{{verb=\"GET\",host=\"{server.Address.Authority}\"}} 2");
    }

    [Fact]
    public async Task A_watch_is_counted_and_not_measured()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        using KubernetesClient client = server.Client(Options);
        await foreach (WatchEvent<Node> frame in client.WatchAsync<Node>(null, new WatchOptions()))
        {
            Assert.Fail($"{frame.Type} came");
        }

        Holds($"rest_client_requests_total{{code=\"200\",method=\"GET\",host=\"{server.Address.Authority}\"}} 1");
        Assert.DoesNotContain("rest_client_request_duration_seconds", _registry.Write(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_an_error_without_status()
    {
        ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        Uri address = server.Address;
        using KubernetesClient client = server.Client(Options with { MaximumRetries = 0 });
        await server.DisposeAsync();
        await Assert.ThrowsAsync<ApiUnreachableException>(() => client.CreateAsync(new Node { Metadata = new ObjectMeta { Name = "a" } }));
        Holds($"rest_client_requests_total{{code=\"<error>\",method=\"POST\",host=\"{address.Authority}\"}} 1");
        Holds($"rest_client_request_duration_seconds_count{{verb=\"POST\",host=\"{address.Authority}\"}} 1");
    }

    [Fact]
    public void Series_are_told_apart_by_all_their_labels_written_in_order_and_taken_out_one_by_one()
    {
        CounterFamily family = _registry.Counter("c", "h", "a", "b");
        foreach (int i in Enumerable.Range(0, 50))
        {
            family.With($"{i % 7}", $"{i}").Increment(i);
            Assert.Same(family.With($"{i % 7}", $"{i}"), family.With($"{i % 7}", $"{i}"));
        }

        Assert.NotSame(family.With("1", "8"), family.With("8", "1"));
        family.Remove("8", "1");
        family.Remove("2", "9");
        family.Remove("none", "such");
        string[] expected = [.. Enumerable.Range(0, 50).Where(i => i != 9)
            .OrderBy(i => $"{i % 7}\u0001{i}", StringComparer.Ordinal).Select(i => $"c{{a=\"{i % 7}\",b=\"{i}\"}} {i}")];
        Assert.Equal(expected, _registry.Write().Split('\n').Where(l => l.StartsWith("c{", StringComparison.Ordinal)));
        Assert.Throws<ArgumentException>(() => family.With("1"));
        family.Clear();
        Assert.Equal("", _registry.Write());
    }

    private void Holds(string line) => Assert.Contains(line, _registry.Write().Split('\n'));
}
