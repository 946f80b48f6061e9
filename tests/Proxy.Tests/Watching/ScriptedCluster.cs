using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using NodeAgent.Kubernetes.Tests.Rest;

namespace NodeAgent.Proxy.Tests.Watching;

/// <summary>What a <see cref="ScriptedCluster"/> answers.</summary>
internal enum Trouble
{
    None,
    /// <summary>No answer: connections are cut.</summary>
    Cut,
    /// <summary>Every list and watch is refused with 500.</summary>
    Refused,
    /// <summary>A list ends in the middle of its second object.</summary>
    Torn,
    /// <summary>Every watch has expired, and lists are empty and older than what was told before.</summary>
    Emptied,
}

/// <summary>An API server that has the Services and slices a test gives it, and troubles.</summary>
internal sealed class ScriptedCluster : IAsyncDisposable
{
    private const string Gone = """{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}""";
    private readonly ScriptedApiServer _server;
    private readonly ConcurrentDictionary<string, int> _answers = new();
    private Kinds _kinds = new(Trouble.None, "1", [], [], new TaskCompletionSource());

    private ScriptedCluster(ScriptedApiServer server)
    {
        _server = server;
        _server.Answer = AnswerAsync;
    }

    /// <summary>Where requests go.</summary>
    public ScriptedApiServer Server => _server;

    public static async Task<ScriptedCluster> StartAsync() => new(await ScriptedApiServer.StartAsync());

    /// <summary>From now on this is there; open watches have expired, or are cut.</summary>
    public void Set(Trouble trouble, string version, IReadOnlyList<string> services, IReadOnlyList<string> slices)
    {
        _answers.Clear();
        Interlocked.Exchange(ref _kinds, new Kinds(trouble, version, services, slices, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))).Replaced.SetResult();
    }

    /// <summary>Waits until both kinds were asked for so often since the last <see cref="Set"/>.</summary>
    public async Task AskedAsync(int times)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        while (_answers.GetValueOrDefault("services") < times || _answers.GetValueOrDefault("endpointslices") < times)
        {
            await Task.Delay(5, limit.Token);
        }
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        Kinds now = Volatile.Read(ref _kinds);
        string kind = context.Request.Path.Value!.Split('/')[^1];
        bool watch = context.Request.Query["watch"] == "true", streaming = context.Request.Query["sendInitialEvents"] == "true";
        _answers.AddOrUpdate(kind, 1, static (_, n) => n + 1);
        await (now.Trouble switch
        {
            Trouble.Cut => CutAsync(context),
            Trouble.Refused => ScriptedApiServer.JsonAsync(context, """{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500,"message":"storage is away"}""", 500),
            Trouble.Emptied when watch && !streaming => context.Response.WriteAsync($$"""{"type":"ERROR","object":{{Gone}}}""" + "\n"),
            _ when watch => WatchAsync(context, now, now.Of(kind), streaming),
            _ => ListAsync(context, now, now.Of(kind)),
        });
    }

    private static Task CutAsync(HttpContext context)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    private static async Task ListAsync(HttpContext context, Kinds now, IReadOnlyList<string> items)
    {
        string list = $$$"""{"metadata":{"resourceVersion":"{{{now.Version}}}"},"items":[{{{string.Join(',', items)}}}]}""";
        if (now.Trouble != Trouble.Torn)
        {
            await ScriptedApiServer.JsonAsync(context, list);
            return;
        }

        await ScriptedApiServer.JsonAsync(context, list[..^(items[^1].Length / 2)]);
        await context.Response.Body.FlushAsync();
        context.Abort();
    }

    /// <summary>What is there, if asked for; then nothing until there is something else.</summary>
    private async Task WatchAsync(HttpContext context, Kinds now, IReadOnlyList<string> items, bool streaming)
    {
        foreach (string item in streaming ? items.SkipLast(now.Trouble == Trouble.Torn ? 1 : 0) : [])
        {
            await context.Response.WriteAsync($$"""{"type":"ADDED","object":{{item}}}""" + "\n");
        }

        if (now.Trouble == Trouble.Torn)
        {
            await context.Response.Body.FlushAsync();
            context.Abort();
            return;
        }

        if (streaming)
        {
            await context.Response.WriteAsync($$$"""{"type":"BOOKMARK","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"resourceVersion":"{{{now.Version}}}" } } }""" + "\n");
        }

        await context.Response.Body.FlushAsync();
        if (now.Trouble != Trouble.Emptied)
        {
            await now.Replaced.Task.WaitAsync(context.RequestAborted);
            if (Volatile.Read(ref _kinds).Trouble == Trouble.Cut)
            {
                context.Abort();
                return;
            }

            await context.Response.WriteAsync($$"""{"type":"ERROR","object":{{Gone}}}""" + "\n", CancellationToken.None);
        }
    }

    private sealed record Kinds(Trouble Trouble, string Version, IReadOnlyList<string> Services, IReadOnlyList<string> Slices, TaskCompletionSource Replaced)
    {
        public IReadOnlyList<string> Of(string kind) => kind switch
        {
            "services" => Services,
            "endpointslices" => Slices,
            _ => throw new InvalidOperationException($"nobody asks for {kind} here"),
        };
    }
}
