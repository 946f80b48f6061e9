using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Kubernetes.Informers;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using NodeAgent.Kubernetes.Tests.Rest;

namespace NodeAgent.Kubernetes.Tests.Informers;

public sealed class InformerTests
{
    private static readonly InformerOptions Paged = new()
    {
        StreamingList = false,
        PageSize = 2,
        InitialBackoff = TimeSpan.FromMilliseconds(1),
        MaximumBackoff = TimeSpan.FromMilliseconds(4),
    };

    [Fact]
    public async Task All_pages_are_told_before_it_is_synced_and_the_watch_begins_at_the_list()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("a", "1"), ("b", "2"), ("c", "3"));
        Recorder recorder = script.Run(Paged);
        await recorder.Registration.HasSynced;
        Assert.Equal(["+a1!", "+b2!", "+c3!"], recorder.Taken(3).Order());
        script.Send(WatchTests.Frame("ADDED", "d", "6"));
        script.Send(WatchTests.Frame("MODIFIED", "a", "7"));
        script.Send(WatchTests.Frame("DELETED", "b", "8"));
        Assert.Equal(["+d6", "a1>a7", "-b8"], recorder.Taken(3));
        Assert.Contains("resourceVersion=5", script.Watches.First(), StringComparison.Ordinal);
        Assert.Equal(3, script.Informer.Lister.Count);
    }

    [Fact]
    public async Task A_broken_watch_goes_on_from_the_last_bookmark_without_a_list()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("a", "1"));
        Recorder recorder = script.Run(Paged);
        recorder.Taken(1);
        script.Send(WatchTests.Frame("BOOKMARK", "", "90"));
        script.Send("END");
        await Eventually.TrueAsync(() => script.Watches.Count == 2);
        Assert.Contains("resourceVersion=90", script.Watches.Last(), StringComparison.Ordinal);
        script.Send(WatchTests.Frame("MODIFIED", "a", "91"));
        Assert.Equal(["a1>a91"], recorder.Taken(1));
        script.Send("RESET");
        await Eventually.TrueAsync(() => script.Watches.Count == 3);
        Assert.Contains("resourceVersion=91", script.Watches.Last(), StringComparison.Ordinal);
        Assert.Equal(1, script.Lists);
    }

    [Fact]
    public async Task After_410_the_difference_is_told_each_change_once()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("same", "1"), ("gone", "2"), ("changed", "3"));
        Recorder recorder = script.Run(Paged with { PageSize = 0 });
        recorder.Taken(3);
        script.List("50", ("same", "1"), ("changed", "40"), ("new", "41"));
        script.Send(Error(410));
        Assert.Equal(["+new41", "-gone2", "changed3>changed40"], recorder.Taken(3).Order(StringComparer.Ordinal));
        script.Send(WatchTests.Frame("ADDED", "last", "51"));
        Assert.Equal(["+last51"], recorder.Taken(1));
    }

    [Theory]
    [InlineData(500)]
    [InlineData(410)]
    public async Task A_list_that_is_empty_and_older_than_what_is_known_is_asked_for_again_where_the_kind_is_never_empty(int error)
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("a", "1"));
        Recorder recorder = script.Run(Paged with { NeverEmpty = true });
        recorder.Taken(1);
        script.Send(WatchTests.Frame("ADDED", "b", "60"));
        Assert.Equal(["+b60"], recorder.Taken(1));
        script.List("59");
        script.Send(Error(error));
        await Eventually.TrueAsync(() => script.Lists > 3);
        Assert.Equal(2, script.Informer.Lister.Count);
        // What is there after all is taken, be it older too, and counts from then on.
        script.List("20", ("b", "19"));
        Assert.Equal(["b60>b19", "-a1"], recorder.Taken(2));
        script.List("21");
        script.Send(Error(410));
        Assert.Equal(["-b19"], recorder.Taken(1));
    }

    [Fact]
    public async Task What_a_new_list_adds_is_told_before_what_it_lacks()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("old", "1"));
        Recorder recorder = script.Run(Paged);
        recorder.Taken(1);
        script.List("50", ("new", "41"));
        script.Send(Error(410));
        Assert.Equal(["+new41", "-old1"], recorder.Taken(2));
    }

    [Fact]
    public async Task An_object_replaced_by_another_of_its_name_is_deleted_and_added()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("a", "1"));
        Recorder recorder = script.Run(Paged);
        recorder.Taken(1);
        script.Send(WatchTests.Frame("MODIFIED", "a", "9", uid: "other"));
        Assert.Equal(["-a1", "+a9"], recorder.Taken(2));
    }

    [Fact]
    public async Task A_continue_token_that_expires_leads_to_a_list_without_pages()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("a", "1"), ("b", "2"), ("c", "3"));
        script.ExpireContinue = true;
        Recorder recorder = script.Run(Paged);
        Assert.Equal(["+a1!", "+b2!", "+c3!"], recorder.Taken(3).Order());
        Assert.Equal(3, script.Lists);
    }

    [Fact]
    public async Task A_streaming_list_is_visible_only_when_it_has_ended()
    {
        await using Script script = await Script.StartAsync();
        Recorder recorder = script.Run(Paged with { StreamingList = true });
        script.Send(WatchTests.Frame("ADDED", "a", "1"));
        script.Send(WatchTests.Frame("ADDED", "b", "2"));
        script.Send(WatchTests.Frame("DELETED", "b", "3"));
        Assert.False(recorder.Registration.HasSynced.IsCompleted);
        script.Send("""{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}""" + "\n");
        await recorder.Registration.HasSynced;
        Assert.Equal(["+a1!"], recorder.Taken(1));
        Assert.Equal(0, script.Lists);
        Assert.Contains("sendInitialEvents=true", script.Watches.First(), StringComparison.Ordinal);
        script.Send("RESET");
        await Eventually.TrueAsync(() => script.Watches.Count == 2);
        Assert.Contains("resourceVersion=7", script.Watches.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_streaming_lists_is_listed_by_pages()
    {
        await using Script script = await Script.StartAsync();
        script.RefuseStreaming = true;
        script.List("5", ("a", "1"));
        Recorder recorder = script.Run(Paged with { StreamingList = true });
        Assert.Equal(["+a1!"], recorder.Taken(1));
        Assert.Equal(1, script.Lists);
    }

    [Fact]
    public async Task A_handler_that_comes_later_is_told_what_is_held_and_a_failing_one_stops_nobody()
    {
        await using Script script = await Script.StartAsync();
        script.List("5", ("a", "1"));
        Recorder first = script.Run(Paged);
        first.Taken(1);
        using IInformerRegistration bad = script.Informer.AddHandler(new Failing());
        Recorder second = new(script.Informer);
        await second.Registration.HasSynced;
        Assert.Equal(["+a1!"], second.Taken(1));
        script.Send(WatchTests.Frame("DELETED", "a", "9"));
        Assert.Equal(["-a9"], second.Taken(1));
    }

    [Fact]
    public async Task Credentials_that_fail_in_an_unforeseen_way_end_no_watch()
    {
        await using ScriptedApiServer server = await ScriptedApiServer.StartAsync();
        server.Answer = async context =>
        {
            if (context.Request.Query["watch"] == "true")
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            await ScriptedApiServer.JsonAsync(context, """{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"1"}}]}""");
        };
        using KubernetesClient client = new(server.Configuration with { Credentials = new Faulty() });
        Informer<ConfigMap> informer = new(client, Paged, NullLogger.Instance);
        using CancellationTokenSource end = new();
        Task run = informer.RunAsync(end.Token);
        await informer.HasSynced.WaitAsync(TimeSpan.FromSeconds(20));
        await end.CancelAsync();
        await run;
    }

    private static string Error(int code) => $$$"""{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":{{{code}}}}}""" + "\n";

    private sealed class Faulty : IRequestCredentials
    {
        private int _asked;

        public ValueTask<AuthenticationHeaderValue?> GetAsync(CancellationToken cancellationToken) =>
            ++_asked < 3 ? throw new NotSupportedException("a plugin's fault") : new((AuthenticationHeaderValue?)null);

        public void Rejected(AuthenticationHeaderValue? used)
        {
        }
    }

    private sealed class Failing : IInformerHandler<string>
    {
        public void Added(string item, bool initial) => throw new InvalidOperationException();

        public void Updated(string previous, string current) => throw new InvalidOperationException();

        public void Deleted(string last) => throw new InvalidOperationException();
    }

    private sealed class Recorder : IInformerHandler<string>
    {
        private readonly BlockingCollection<string> _calls = [];

        internal Recorder(Informer<ConfigMap, string> informer) => Registration = informer.AddHandler(this);

        internal IInformerRegistration Registration { get; }

        public void Added(string item, bool initial) => _calls.Add($"+{item}{(initial ? "!" : "")}");

        public void Updated(string previous, string current) => _calls.Add($"{previous}>{current}");

        public void Deleted(string last) => _calls.Add($"-{last}");

        internal string[] Taken(int count) =>
            [.. Enumerable.Range(0, count).Select(_ => _calls.TryTake(out string? call, TimeSpan.FromSeconds(20)) ? call : "nothing")];
    }

    /// <summary>One collection: a list that a test sets, and watches that get the lines a test sends.</summary>
    private sealed class Script : IAsyncDisposable
    {
        private readonly ScriptedApiServer _server;
        private readonly KubernetesClient _client;
        private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
        private readonly CancellationTokenSource _end = new();
        private (string Name, string Version)[] _items = [];
        private string _version = "1";
        private Task _run = Task.CompletedTask;

        private Script(ScriptedApiServer server)
        {
            _server = server;
            _client = server.Client();
            _server.Answer = AnswerAsync;
        }

        internal ConcurrentQueue<string> Watches { get; } = [];

        internal int Lists { get; private set; }

        internal bool ExpireContinue { get; set; }

        internal bool RefuseStreaming { get; set; }

        internal Informer<ConfigMap, string> Informer { get; private set; } = null!;

        internal static async Task<Script> StartAsync() => new(await ScriptedApiServer.StartAsync());

        internal void List(string version, params (string, string)[] items) => (_version, _items) = (version, items);

        internal void Send(string line) => _lines.Writer.TryWrite(line);

        internal Recorder Run(InformerOptions options)
        {
            Informer = new Informer<ConfigMap, string>(_client, options, new InformerProjection<ConfigMap, string>
            {
                Transform = map => map.Metadata.Name + map.Metadata.ResourceVersion,
            }, NullLogger.Instance);
            Recorder recorder = new(Informer);
            _run = Informer.RunAsync(_end.Token);
            return recorder;
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _run;
            _client.Dispose();
            await _server.DisposeAsync();
            _end.Dispose();
        }

        private async Task AnswerAsync(HttpContext context)
        {
            if (context.Request.Query["watch"] == "true")
            {
                if (RefuseStreaming && context.Request.Query.ContainsKey("sendInitialEvents"))
                {
                    await ScriptedApiServer.JsonAsync(context, """{"kind":"Status","reason":"Invalid","code":422,"message":"forbidden"}""", 422);
                    return;
                }
                Watches.Enqueue(context.Request.QueryString.Value!);
                await context.Response.Body.FlushAsync();
                await foreach (string line in _lines.Reader.ReadAllAsync(context.RequestAborted))
                {
                    if (line == "RESET")
                    {
                        context.Abort();
                        return;
                    }
                    if (line == "END")
                        return;
                    await context.Response.WriteAsync(line);
                    await context.Response.Body.FlushAsync();
                    if (line.Contains("ERROR", StringComparison.Ordinal))
                        return;
                }
                return;
            }
            await PageAsync(context);
        }

        private async Task PageAsync(HttpContext context)
        {
            Lists++;
            int from = int.TryParse(context.Request.Query["continue"], out int token) ? token : 0;
            if (from > 0 && ExpireContinue)
            {
                await ScriptedApiServer.JsonAsync(context, """{"kind":"Status","reason":"Expired","code":410}""", 410);
                return;
            }
            int limit = int.TryParse(context.Request.Query["limit"], out int most) ? most : int.MaxValue;
            string[] page = [.. _items.Skip(from).Take(limit).Select(item =>
                $$$"""{"metadata":{"name":"{{{item.Name}}}","namespace":"n","uid":"u","resourceVersion":"{{{item.Version}}}"}}""")];
            string next = from + page.Length < _items.Length ? $"{from + page.Length}" : "";
            await ScriptedApiServer.JsonAsync(
                context, $$$"""{"kind":"ConfigMapList","metadata":{"resourceVersion":"{{{_version}}}","continue":"{{{next}}}"},"items":[{{{string.Join(',', page)}}}]}""");
        }
    }
}
