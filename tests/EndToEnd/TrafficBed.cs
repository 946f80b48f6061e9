using NodeAgent.Harness;
using NodeAgent.Harness.Host;
using NodeAgent.Harness.Networks;

namespace NodeAgent.EndToEnd;

/// <summary>One bed with the Services of a <see cref="TrafficScript"/> for the tests of a collection; the stand-in serves it.</summary>
[CollectionDefinition(Name)]
public sealed class TrafficBed : IAsyncLifetime, ICollectionFixture<TrafficBed>
{
    internal const string Name = "traffic bed";
    private static readonly TimeSpan Started = TimeSpan.FromSeconds(90);

    /// <summary>The bed; null where none can be made.</summary>
    internal ProxyBed Bed { get; private set; } = null!;

    internal TrafficServices Services { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (ProxyBed.Missing() is null)
        {
            int own = Environment.ProcessId % 10000;
            Bed = await ProxyBed.UpAsync(new HarnessOptions { Folder = Path.Combine(Path.GetTempPath(), $"na-traffic-{own}"), Prefix = $"nat{own}", ControlPlane = ControlPlaneKind.StandIn }, 170 + (own % 80));
            Services = new TrafficServices(Bed, seed: 4);
            await Services.CreateAsync();
        }
    }

    public async Task DisposeAsync()
    {
        if (Bed is not null)
        {
            await Bed.DisposeAsync();
        }
    }

    /// <summary>Starts our proxy on a node without rules; every Service answers afterwards.</summary>
    internal async Task StartAsync(string mode, string syncPeriod = "30s", IReadOnlyDictionary<string, string>? environment = null)
    {
        await ClearAsync();
        Bed.StartProxy(mode, null, syncPeriod, environment);
        await Until.HoldsAsync("every Service answers", Started, async () =>
            await Services.AnsweringAsync(System.Diagnostics.Stopwatch.GetTimestamp(), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)) is not null);
    }

    /// <summary>Steady connections to every cluster IP and node port; every endpoint may answer.</summary>
    internal Task<SteadyLoad> LoadAsync() => SteadyLoad.StartAsync(Bed.Clients, Services.Targets, perSecond: 50, open: 20, judge: null);

    /// <summary>Ends what runs and takes its rules away.</summary>
    internal async Task ClearAsync()
    {
        await Bed.StopProxyAsync();
        Bed.Flush();
    }
}
