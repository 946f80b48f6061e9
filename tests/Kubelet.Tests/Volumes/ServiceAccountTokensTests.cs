using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Volumes;

public sealed class ServiceAccountTokensTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeClient _client = new();
    private readonly ServiceAccountTokens _tokens;
    private readonly ConcurrentQueue<PodUid> _due = new();
    private readonly Pod _pod;

    public ServiceAccountTokensTests()
    {
        _tokens = new ServiceAccountTokens(_client, _time, NullLogger<ServiceAccountTokens>.Instance);
        _tokens.Due += _due.Enqueue;
        _client.Tokens = r => r with { Status = new TokenRequestStatus { Token = $"t{_client.TokenRequests.Count}", ExpirationTimestamp = _time.GetUtcNow().AddSeconds(3600) } };
        Pod pod = TestPods.Pod();
        _pod = pod with { Spec = pod.Spec with { ServiceAccountName = "default" } };
    }

    private async Task<string> Token(string? audience = null) => Encoding.UTF8.GetString(await _tokens.GetAsync(_pod, audience, 3600, default));

    [Fact]
    public async Task A_token_is_kept_until_80_percent_of_its_life_and_then_the_pod_is_due_once()
    {
        Assert.Equal("t1", await Token());
        Assert.Equal("t1", await Token());
        Assert.Equal("t2", await Token("vault"));
        _time.Advance(TimeSpan.FromSeconds(2869));
        Assert.Empty(_due);
        Assert.Equal(1, _time.Armed);
        _time.Advance(TimeSpan.FromSeconds(12));
        Assert.NotEmpty(_due);
        Assert.All(_due, u => Assert.Equal(_pod.Uid, u));
        Assert.Equal("t3", await Token());
    }

    [Fact]
    public async Task Where_renewing_fails_the_old_token_is_used_until_it_expires()
    {
        await Token();
        _client.Tokens = _ => throw new ApiUnreachableException("no route");
        _time.Advance(TimeSpan.FromSeconds(3000));
        Assert.Equal("t1", await Token());
        int seen = _due.Count;
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.True(_due.Count > seen);
        _time.Advance(TimeSpan.FromSeconds(600));
        PayloadException e = await Assert.ThrowsAsync<PayloadException>(() => Token());
        Assert.Contains("expired and refresh failed: no route", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("t1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_date_set_forward_makes_the_pod_due_within_minutes_and_one_set_back_delays_nothing()
    {
        await Token();
        _time.Jump(TimeSpan.FromMinutes(50));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.NotEmpty(_due);
        Assert.Equal("t2", await Token());
        _due.Clear();
        _time.Jump(TimeSpan.FromDays(-400));
        _time.Advance(TimeSpan.FromMinutes(47));
        Assert.Empty(_due);
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.NotEmpty(_due);
        Assert.Equal("t3", await Token());
    }

    [Fact]
    public async Task Where_the_host_is_behind_the_API_server_a_token_is_renewed_by_its_age()
    {
        _client.Tokens = r => r with { Status = new TokenRequestStatus { Token = $"t{_client.TokenRequests.Count}", ExpirationTimestamp = _time.GetUtcNow().AddDays(3).AddSeconds(3600) } };
        await Token();
        _time.Advance(TimeSpan.FromMinutes(49));
        Assert.NotEmpty(_due);
        Assert.Equal("t2", await Token());
    }

    [Fact]
    public async Task A_pod_that_is_gone_is_forgotten()
    {
        await Token();
        _tokens.Forget(_pod.Uid);
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Empty(_due);
        Assert.Equal("t2", await Token());
    }

    [Fact]
    public async Task A_pod_without_an_account_is_told_so()
        => await Assert.ThrowsAsync<PayloadException>(() => _tokens.GetAsync(TestPods.Pod(), null, null, default));

    public void Dispose() => _tokens.Dispose();
}
