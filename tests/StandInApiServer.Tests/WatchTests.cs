using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.StandInApiServer.Tests;

public sealed class WatchTests(ServerFixture fixture) : IClassFixture<ServerFixture>
{
    private readonly KubernetesClient _admin = fixture.Admin;

    [Fact]
    public async Task A_watch_tells_each_change_once_and_in_order()
    {
        string ns = await fixture.NewNamespaceAsync();
        string from = (await _admin.ListAsync<Secret>(ns)).Metadata.ResourceVersion!;
        Secret made = await _admin.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = ns, Name = "s" } });
        await _admin.UpdateAsync(made with { Data = new Dictionary<string, byte[]> { ["k"] = [1] } });
        await _admin.DeleteAsync<Secret>(ns, "s");
        List<WatchEvent<Secret>> seen = await TakeAsync<Secret>(ns, new WatchOptions { ResourceVersion = from, AllowBookmarks = false }, 3);
        Assert.Equal([WatchEventType.Added, WatchEventType.Modified, WatchEventType.Deleted], seen.Select(e => e.Type));
        Assert.Equal(seen.Select(e => long.Parse(e.Object.Metadata.ResourceVersion!)).Order(), seen.Select(e => long.Parse(e.Object.Metadata.ResourceVersion!)));
        Assert.Equal([1], seen[2].Object.Data["k"]);
    }

    [Fact]
    public async Task An_object_that_stops_matching_is_told_as_deleted()
    {
        string ns = await fixture.NewNamespaceAsync();
        string from = (await _admin.ListAsync<Pod>(ns)).Metadata.ResourceVersion!;
        await _admin.CreateAsync(ServerFixture.Pod(ns, "p", "n1", ("app", "a")));
        await _admin.PatchAsync<Pod>(ns, "p", Patch.Merge(System.Text.Json.Nodes.JsonNode.Parse("""{"metadata":{"labels":{"app":"b"}}}""")!));
        List<WatchEvent<Pod>> seen = await TakeAsync<Pod>(ns, new WatchOptions { ResourceVersion = from, LabelSelector = "app=a", AllowBookmarks = false }, 2);
        Assert.Equal([WatchEventType.Added, WatchEventType.Deleted], seen.Select(e => e.Type));
    }

    [Fact]
    public async Task An_idle_watch_gets_bookmarks_with_the_newest_version()
    {
        string ns = await fixture.NewNamespaceAsync();
        string from = (await _admin.ListAsync<Lease>(ns)).Metadata.ResourceVersion!;
        WatchEvent<Lease> mark = Assert.Single(await TakeAsync<Lease>(ns, new WatchOptions { ResourceVersion = from }, 1));
        Assert.Equal(WatchEventType.Bookmark, mark.Type);
        Assert.True(long.Parse(mark.Object.Metadata.ResourceVersion!) >= long.Parse(from));
    }

    [Fact]
    public async Task A_streaming_list_ends_with_its_marked_bookmark()
    {
        string ns = await fixture.NewNamespaceAsync();
        await _admin.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = ns, Name = "s" } });
        List<WatchEvent<Secret>> seen = await TakeAsync<Secret>(ns, new WatchOptions { SendInitialEvents = true }, 2);
        Assert.Equal([WatchEventType.Added, WatchEventType.Bookmark], seen.Select(e => e.Type));
        Assert.Equal("true", seen[1].Object.Metadata.Annotations[WatchEvent<Secret>.InitialEventsEndAnnotation]);
    }

    [Fact]
    public async Task A_version_that_the_history_has_lost_is_expired()
    {
        string ns = await fixture.NewNamespaceAsync();
        string from = (await _admin.ListAsync<Secret>(ns)).Metadata.ResourceVersion!;
        await _admin.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = ns, Name = "s" } });
        fixture.Server.ForgetHistory();
        ApiException gone = await Assert.ThrowsAsync<ApiException>(() => TakeAsync<Secret>(ns, new WatchOptions { ResourceVersion = from }, 1));
        Assert.True(gone.IsExpired);
    }

    [Fact]
    public async Task A_watch_ends_in_good_order_when_its_time_is_over()
    {
        string ns = await fixture.NewNamespaceAsync();
        List<WatchEvent<Secret>> seen = await TakeAsync<Secret>(ns, new WatchOptions { Timeout = TimeSpan.FromSeconds(1), AllowBookmarks = false }, 5);
        Assert.Empty(seen);
    }

    [Fact]
    public async Task Three_hundred_watches_all_see_a_change()
    {
        string ns = await fixture.NewNamespaceAsync();
        string from = (await _admin.ListAsync<Secret>(ns)).Metadata.ResourceVersion!;
        Task<List<WatchEvent<Secret>>>[] watches =
            [.. Enumerable.Range(0, 300).Select(_ => TakeAsync<Secret>(ns, new WatchOptions { ResourceVersion = from, AllowBookmarks = false }, 1))];
        await _admin.CreateAsync(new Secret { Metadata = new ObjectMeta { Namespace = ns, Name = "s" } });
        foreach (Task<List<WatchEvent<Secret>>> watch in watches)
            Assert.Equal("s", Assert.Single(await watch).Object.Metadata.Name);
    }

    private async Task<List<WatchEvent<T>>> TakeAsync<T>(string ns, WatchOptions options, int count)
        where T : class, IKubernetesResource<T>
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        List<WatchEvent<T>> seen = [];
        await foreach (WatchEvent<T> change in _admin.WatchAsync<T>(ns, options, limit.Token))
        {
            seen.Add(change);
            if (seen.Count == count)
                break;
        }
        return seen;
    }
}
