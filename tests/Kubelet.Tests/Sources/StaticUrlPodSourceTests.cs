using System.Net;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubelet.Sources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Testing;

namespace NodeAgent.Kubelet.Tests.Sources;

public sealed class StaticUrlPodSourceTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly HttpListener _server;
    private readonly List<PodUpdate> _updates = [];
    private readonly PodSourceMerger _merger;
    private readonly Uri _url;
    private readonly Task _running;
    private volatile string _answer = "";
    private volatile int _status = 200;
    private volatile string? _token;
    private int _asked;

    public StaticUrlPodSourceTests()
    {
        (_server, int port) = Listen();
        _url = new Uri($"http://127.0.0.1:{port}/pods?key=hidden");
        _merger = new PodSourceMerger([PodSourceKind.Http], u =>
        {
            lock (_updates)
            {
                _updates.Add(u);
            }
        }, _ => { });
        _running = Task.Run(ServeAsync);
    }

    // A port that was free may be another process's a moment later.
    private static (HttpListener Server, int Port) Listen()
    {
        for (int attempt = 0; ; attempt++)
        {
            using var free = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
            free.Start();
            int port = ((IPEndPoint)free.LocalEndpoint).Port;
            free.Stop();
            var server = new HttpListener { Prefixes = { $"http://127.0.0.1:{port}/" } };
            try
            {
                server.Start();
                return (server, port);
            }
            catch (HttpListenerException) when (attempt < 20)
            {
                server.Close();
            }
        }
    }

    private static string Pod(string name) => $$"""{"apiVersion":"v1","kind":"Pod","metadata":{"name":"{{name}}"},"spec":{"containers":[{"name":"c","image":"i"}]} }""";

    private async Task ServeAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            HttpListenerContext context = await _server.GetContextAsync();
            _token = context.Request.Headers["Authorization"];
            context.Response.StatusCode = _status;
            await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(_answer));
            context.Response.Close();
            Interlocked.Increment(ref _asked);
        }
    }

    private Task Run()
    {
        var headers = new Dictionary<string, IReadOnlyList<string>> { ["Authorization"] = ["Bearer t"] };
        return Task.Run(() => new StaticUrlPodSource(_url, headers, "n1", TimeSpan.FromSeconds(20), _time, NullLogger<StaticUrlPodSource>.Instance).RunAsync(_merger, _stop.Token));
    }

    /// <summary>Lets it ask until so many answers were given and something holds.</summary>
    private async Task AskedAsync(int times, Func<bool> holds)
    {
        int before = Volatile.Read(ref _asked);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (Volatile.Read(ref _asked) - before < times || !holds())
        {
            Assert.False(limit.IsCancellationRequested, "it asked no more; seen: " + string.Join(", ", Seen()));
            _time.Advance(TimeSpan.FromSeconds(21));
            // An answer takes real time, and virtual time that goes on meanwhile is a time limit that passes.
            for (int i = 0, asked = Volatile.Read(ref _asked); i < 40 && (Volatile.Read(ref _asked) == asked || !holds()); i++)
            {
                await Task.Delay(5);
            }
        }
    }

    private string[] Seen()
    {
        lock (_updates)
        {
            return [.. _updates.Where(u => u.Kind != PodUpdateKind.Reconcile).Select(u => $"{u.Kind} {u.Pod.Metadata.Name}")];
        }
    }

    private async Task NothingAsync()
    {
        int known = Seen().Length;
        await AskedAsync(3, () => true);
        Assert.Equal(known, Seen().Length);
    }

    private Task SeesAsync(params string[] expected) => AskedAsync(0, () => Seen().TakeLast(expected.Length).Order().SequenceEqual(expected));

    [Fact]
    public async Task Pods_follow_the_answer_and_stay_when_there_is_none_or_a_bad_one()
    {
        _status = 500;
        Task source = Run();
        await NothingAsync();
        Assert.False(_merger.AllReady, "nothing was delivered yet");
        (_answer, _status) = (Pod("one"), 200);
        await SeesAsync("Add one-n1");
        Assert.Equal("Bearer t", _token);
        Assert.True(_merger.AllReady);
        _status = 503;
        await NothingAsync();
        (_answer, _status) = ("{ nonsense", 200);
        await NothingAsync();
        _answer = $$"""{"apiVersion":"v1","kind":"PodList","items":[{{Pod("one")}},{{Pod("BAD NAME")}},{{Pod("two")}}]}""";
        await SeesAsync("Add two-n1");
        Assert.Equal(2, Seen().Length);
        _answer = "";
        await SeesAsync("Remove one-n1", "Remove two-n1");
        Assert.False(source.IsCompleted);
    }

    [Fact]
    public void Its_pods_are_marked_and_named_and_secrets_of_the_URL_are_not_shown()
    {
        StaticPodOrigin origin = StaticPodOrigin.Url(new Uri("http://user:secret@host:81/pods?key=hidden"));
        Pod pod = StaticPodDecoder.Complete(origin, StaticPodManifest.One(Encoding.UTF8.GetBytes(Pod("one"))), "n1", DateTimeOffset.UnixEpoch);
        Assert.Equal("http", pod.Metadata.Annotations["kubernetes.io/config.source"]);
        Assert.Equal(pod.Metadata.Uid, pod.Metadata.Annotations["kubernetes.io/config.hash"]);
        Assert.Empty(pod.Spec.Tolerations);
        Assert.Equal("n1", pod.Spec.NodeName);
        Assert.Equal("URL http://host:81/pods", origin.Shown);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _server.Close();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }
}
