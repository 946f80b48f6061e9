using System.Collections.Concurrent;
using System.Diagnostics;
using NodeAgent.Harness.Host;

namespace NodeAgent.Harness.Networks;

/// <summary>
/// Services with cluster IP and node port whose endpoints change at random from a seed, one of each ready at all times, and what the API
/// server was told of them: an answer of an endpoint that had not been ready for long is found out.
/// </summary>
/// <param name="bed">Where they are.</param>
/// <param name="seed">Of the changes.</param>
/// <param name="udp">They answer UDP too, on their cluster IPs.</param>
public sealed class TrafficServices(ProxyBed bed, int seed, bool udp = false)
{
    /// <summary>How many Services.</summary>
    public const int Count = 20;

    // The first is ready at all times.
    private const int Pool = 6, Workers = 4, FirstFresh = 100_000;
    private static readonly TimeSpan Answered = TimeSpan.FromSeconds(120), OneTry = TimeSpan.FromSeconds(5);

    private static readonly HashSet<string> Usual = [.. Enumerable.Range(0, Count * Pool).Select(ProxyBed.Endpoint)];

    private readonly Dictionary<string, EndpointState>[] _told = [.. Enumerable.Range(0, Count).Select(_ => new Dictionary<string, EndpointState>())];
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, Count).Select(_ => new SemaphoreSlim(1))];
    private readonly ConcurrentDictionary<string, long> _notReadySince = new();
    private readonly Random[] _random = [.. Enumerable.Range(0, Workers).Select(worker => new Random(seed + worker))];
    private int _fresh = FirstFresh, _late;
    private double _latest;

    /// <summary>The cluster IP, for UDP too where asked for, and the node port of each Service.</summary>
    public IReadOnlyList<LoadTarget> Targets { get; } = [.. Enumerable.Range(0, Count).SelectMany(i =>
        (LoadTarget[])[new LoadTarget(i, ProxyBed.ClusterIP(i), ProxyBed.Port), new LoadTarget(i, bed.NodeAddress, ProxyBed.NodePort(i)), .. udp ? [new LoadTarget(i, ProxyBed.ClusterIP(i), ProxyBed.Port, Udp: true)] : Array.Empty<LoadTarget>()])];

    /// <summary>Answers of an endpoint that was not ready any more when the connection began, however short before; and the longest time of that, in seconds.</summary>
    public (int Answers, double Longest) Late => (_late, _latest);

    /// <summary>Creates them, each with its first endpoint.</summary>
    public async Task CreateAsync()
    {
        await bed.CreateServicesAsync(Count, 1, nodePorts: true, udp);
        await ResetAsync();
    }

    /// <summary>Gives each Service its first endpoint alone, where another run has made them.</summary>
    public async Task ResetAsync()
    {
        for (int i = 0; i < Count; i++)
            await TellAsync(i, told => told[Address(i, 0)] = EndpointState.Ready);
    }

    /// <summary>Makes random changes at a steady rate; gives how many were made.</summary>
    /// <param name="count">How many; int.MaxValue: until cancelled.</param>
    /// <param name="perSecond">Rate, as far as the API server keeps up.</param>
    /// <param name="end">Ends it early.</param>
    public async Task<int> ChangeAsync(int count, int perSecond, CancellationToken end)
    {
        int made = 0, begun = 0;
        TimeSpan pause = TimeSpan.FromSeconds((double)Workers / perSecond);
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(async worker =>
        {
            long next = Stopwatch.GetTimestamp();
            while (!end.IsCancellationRequested && Interlocked.Increment(ref begun) <= count)
            {
                await ChangeOneAsync((_random[worker].Next(Count / Workers) * Workers) + worker, _random[worker]);
                Interlocked.Increment(ref made);
                next += (long)(pause.TotalSeconds * Stopwatch.Frequency);
                TimeSpan wait = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), next);
                if (wait > TimeSpan.Zero)
                    await Task.Delay(wait, CancellationToken.None);
            }
        }));
        return made;
    }

    /// <summary>Waits until what the API server was told of each Service steers connections: an endpoint it never had answers.</summary>
    public Task SettleAsync() => Parallel.ForAsync(0, Count, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (i, _) =>
    {
        string fresh = ProxyBed.Endpoint(Interlocked.Increment(ref _fresh));
        await TellAsync(i, told =>
        {
            foreach (string old in told.Keys.Where(IsFresh))
                told[old] = EndpointState.Absent;
            told[fresh] = EndpointState.Ready;
        });
        using ServiceClient client = new(bed.Clients);
        await Until.NothingMissesAsync($"{fresh} answers for Service {i}", Answered, async () =>
        {
            ServiceAnswer answer = default;
            for (int n = 0; n < 30 && answer.Failure is null; n++)
            {
                answer = await client.AskAsync(ProxyBed.ClusterIP(i), ProxyBed.Port, OneTry);
                if (answer.Endpoint == fresh)
                    return null;
            }

            return $"{answer.Failure ?? "others answer"}; {bed.Proxy?.LogTail()}";
        });
    });

    /// <summary>Asks every target some times, once all is settled; gives what is wrong with the answers.</summary>
    public async Task<IReadOnlyList<string>> SweepAsync()
    {
        using ServiceClient client = new(bed.Clients);
        List<string> wrong = [];
        foreach (LoadTarget target in Targets)
        {
            for (int n = 0; n < 8; n++)
            {
                ServiceAnswer answer = await client.AskAsync(target, OneTry);
                EndpointState state = answer.Endpoint is { } e ? _told[target.Service].GetValueOrDefault(e) : EndpointState.Ready;
                if (answer.Failure is not null || state != EndpointState.Ready)
                    wrong.Add($"{target}: {answer.Failure ?? $"{answer.Endpoint} answered, which is {state}"}");
            }
        }

        return wrong;
    }

    /// <summary>The time until every target answers in one round; null where that takes too long.</summary>
    public async Task<TimeSpan?> AnsweringAsync(long since, TimeSpan longest, TimeSpan oneTry)
    {
        using ServiceClient client = new(bed.Clients);
        while (Stopwatch.GetElapsedTime(since) < longest)
        {
            bool all = true;
            foreach (LoadTarget target in Targets)
                all = all && (await client.AskAsync(target, oneTry)).Endpoint is not null;
            if (all)
                return Stopwatch.GetElapsedTime(since);
        }

        return null;
    }

    /// <summary>For a load: "stale" where the endpoint had not been ready for longer than allowed when the connection began.</summary>
    public Func<LoadTarget, string, long, string?> Judge(TimeSpan allowed) => (target, endpoint, begun) =>
    {
        if (!_notReadySince.TryGetValue(endpoint, out long since) || begun <= since)
            return null;
        TimeSpan late = Stopwatch.GetElapsedTime(since, begun);
        Interlocked.Increment(ref _late);
        lock (_random)
            _latest = Math.Max(_latest, late.TotalSeconds);
        return late > allowed ? "stale" : null;
    };

    private Task ChangeOneAsync(int service, Random random)
    {
        string address = Address(service, 1 + random.Next(Pool - 1));
        int step = 1 + random.Next(3);
        return TellAsync(service, told => told[address] = (EndpointState)(((int)told.GetValueOrDefault(address) + step) % 4));
    }

    /// <summary>Changes the endpoints of one Service and tells the API server: what is ready counts from before that, what is not from afterwards.</summary>
    private async Task TellAsync(int service, Action<Dictionary<string, EndpointState>> change)
    {
        await _turns[service].WaitAsync();
        try
        {
            Dictionary<string, EndpointState> told = _told[service];
            change(told);
            foreach (string address in told.Where(t => t.Value == EndpointState.Ready).Select(t => t.Key))
                _notReadySince.TryRemove(address, out _);
            await bed.SetEndpointsAsync(service, told);
            foreach (string address in told.Where(t => t.Value != EndpointState.Ready).Select(t => t.Key))
                _notReadySince.TryAdd(address, Stopwatch.GetTimestamp());
            foreach (string address in told.Where(t => t.Value == EndpointState.Absent && IsFresh(t.Key)).Select(t => t.Key).ToList())
                told.Remove(address);
        }
        finally
        {
            _turns[service].Release();
        }
    }

    private static string Address(int service, int index) => ProxyBed.Endpoint((service * Pool) + index);

    private static bool IsFresh(string address) => !Usual.Contains(address);
}
