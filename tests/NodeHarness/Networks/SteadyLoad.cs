using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace NodeAgent.Harness.Networks;

/// <summary>Where connections of a load go.</summary>
/// <param name="Service">The Service's number.</param>
/// <param name="IP">A cluster IP or an address of the node.</param>
/// <param name="Port">Port or node port.</param>
/// <param name="Udp">By datagrams, each question from a port of its own.</param>
public readonly record struct LoadTarget(int Service, string IP, int Port, bool Udp = false);

/// <summary>What became of the connections.</summary>
/// <param name="Connections">Short connections tried.</param>
/// <param name="Failures">Those of them that failed, by what went wrong.</param>
/// <param name="Gap">From the first of those failures to the last; zero where there was none.</param>
/// <param name="Open">Long connections kept.</param>
/// <param name="Broken">What went wrong with those that did not last, with the endpoint.</param>
public sealed record LoadResult(int Connections, IReadOnlyDictionary<string, int> Failures, TimeSpan Gap, int Open, IReadOnlyList<string> Broken)
{
    /// <summary>Nothing failed.</summary>
    public bool IsClean => Failures.Count == 0 && Broken.Count == 0;

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Connections} connections, failed: {(Failures.Count == 0 ? "none" : string.Join(", ", Failures.Select(f => $"{f.Value} {f.Key}")) + $" within {Gap.TotalSeconds:0.00} s")}; "
        + $"{Open} long ones, broken: {(Broken.Count == 0 ? "none" : string.Join(", ", Broken))}";
}

/// <summary>Short connections at a steady rate to Services in turn, beside long ones that say a word each second.</summary>
public sealed class SteadyLoad : IAsyncDisposable
{
    // The machine may be busy; what no rule takes is refused at once, so that waiting long hides nothing.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20), Word = TimeSpan.FromSeconds(1);
    private readonly ServiceClient _client;
    private readonly IReadOnlyList<LoadTarget> _targets;
    private readonly Func<LoadTarget, string, long, string?>? _judge;
    private readonly TimeSpan _every;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<string, int> _failures = new();
    private readonly ConcurrentBag<string> _broken = [];
    private readonly ConcurrentBag<Task> _running = [];
    private readonly Lock _lock = new();
    private readonly int _long;
    private int _connections;
    private long? _first;
    private long _last;

    private SteadyLoad(NetworkNamespace from, IReadOnlyList<LoadTarget> targets, int perSecond, int open, Func<LoadTarget, string, long, string?>? judge)
    {
        (_client, _targets, _every, _long, _judge) = (new ServiceClient(from), targets, TimeSpan.FromSeconds(1.0 / perSecond), open, judge);
    }

    /// <summary>Begins: every Service has to answer already.</summary>
    /// <param name="from">Where the client is.</param>
    /// <param name="services">How many Services, from number 0 on.</param>
    /// <param name="perSecond">Short connections in a second.</param>
    /// <param name="open">Long connections.</param>
    public static Task<SteadyLoad> StartAsync(NetworkNamespace from, int services, int perSecond, int open) =>
        StartAsync(from, [.. Enumerable.Range(0, services).Select(i => new LoadTarget(i, ProxyBed.ClusterIP(i), ProxyBed.Port))], perSecond, open, null);

    /// <summary>The same with other targets, in turn.</summary>
    /// <param name="from">Where the client is.</param>
    /// <param name="targets">Where connections go.</param>
    /// <param name="perSecond">Short connections in a second.</param>
    /// <param name="open">Long connections.</param>
    /// <param name="judge">Told target, answering endpoint and when a short connection began (<see cref="Stopwatch.GetTimestamp"/>): null, or what is wrong with that.</param>
    public static async Task<SteadyLoad> StartAsync(
        NetworkNamespace from, IReadOnlyList<LoadTarget> targets, int perSecond, int open, Func<LoadTarget, string, long, string?>? judge)
    {
        SteadyLoad load = new(from, targets, perSecond, open, judge);
        LoadTarget[] streams = [.. targets.Where(t => !t.Udp)];
        for (int i = 0; i < open; i++)
        {
            LoadTarget target = streams[i % streams.Length];
            (ServiceAnswer answer, Socket? socket) = await load._client.OpenAsync(target.IP, target.Port, Patience);
            load._running.Add(load.KeepAsync(socket ?? throw new InvalidOperationException($"{target}: {answer.Failure}"), answer.Endpoint!));
        }

        load._running.Add(load.PaceAsync());
        return load;
    }

    /// <summary>Ends it, once the connections under way have ended.</summary>
    public async Task<LoadResult> StopAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_running);
        await Task.WhenAll(_running);
        return new LoadResult(_connections, new SortedDictionary<string, int>(_failures), _first is { } first ? Stopwatch.GetElapsedTime(first, _last) : TimeSpan.Zero, _long, [.. _broken]);
    }

    /// <summary>Ends it whatever came of it.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _client.Dispose();
        _end.Dispose();
    }

    private async Task PaceAsync()
    {
        using PeriodicTimer pace = new(_every);
        for (int i = 0; await TickAsync(pace); i++)
        {
            _running.Add(OneAsync(_targets[i % _targets.Count]));
        }
    }

    private async Task OneAsync(LoadTarget target)
    {
        Interlocked.Increment(ref _connections);
        long begun = Stopwatch.GetTimestamp();
        ServiceAnswer answer = await _client.AskAsync(target, Patience);
        if ((answer.Failure ?? _judge?.Invoke(target, answer.Endpoint!, begun)) is { } failure)
        {
            _failures.AddOrUpdate(failure, 1, (_, n) => n + 1);
            lock (_lock)
            {
                _last = Stopwatch.GetTimestamp();
                _first ??= _last;
            }
        }
    }

    private async Task KeepAsync(Socket socket, string endpoint)
    {
        using Socket open = socket;
        using PeriodicTimer pace = new(Word);
        while (await TickAsync(pace))
        {
            if (await ServiceClient.EchoAsync(open, Patience) is { } failure)
            {
                _broken.Add($"{failure} ({endpoint})");
                return;
            }
        }

        if (await ServiceClient.EchoAsync(open, Patience) is { } last)
        {
            _broken.Add($"{last} ({endpoint})");
        }
    }

    private async Task<bool> TickAsync(PeriodicTimer pace)
    {
        try
        {
            return await pace.WaitForNextTickAsync(_end.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
