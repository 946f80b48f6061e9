using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace NodeAgent.Harness.Networks;

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
    private readonly int _services;
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

    private SteadyLoad(NetworkNamespace from, int services, int perSecond, int open)
    {
        (_client, _services, _every, _long) = (new ServiceClient(from), services, TimeSpan.FromSeconds(1.0 / perSecond), open);
    }

    /// <summary>Begins: every Service has to answer already.</summary>
    /// <param name="from">Where the client is.</param>
    /// <param name="services">How many Services, from number 0 on.</param>
    /// <param name="perSecond">Short connections in a second.</param>
    /// <param name="open">Long connections.</param>
    public static async Task<SteadyLoad> StartAsync(NetworkNamespace from, int services, int perSecond, int open)
    {
        SteadyLoad load = new(from, services, perSecond, open);
        for (int i = 0; i < open; i++)
        {
            (ServiceAnswer answer, Socket? socket) = await load._client.OpenAsync(ProxyBed.ClusterIP(i % services), ProxyBed.Port, Patience);
            load._running.Add(load.KeepAsync(socket ?? throw new InvalidOperationException($"Service {i % services}: {answer.Failure}"), answer.Endpoint!));
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
            _running.Add(OneAsync(i % _services));
        }
    }

    private async Task OneAsync(int service)
    {
        Interlocked.Increment(ref _connections);
        if ((await _client.AskAsync(ProxyBed.ClusterIP(service), ProxyBed.Port, Patience)).Failure is { } failure)
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
