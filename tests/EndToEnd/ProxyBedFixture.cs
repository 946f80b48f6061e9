using NodeAgent.Harness;
using NodeAgent.Harness.Networks;

namespace NodeAgent.EndToEnd;

/// <summary>One bed with some Services for the tests of a class; the stand-in serves it, since nothing depends on the API server here.</summary>
public sealed class ProxyBedFixture : IAsyncLifetime
{
    internal const int Services = 40, Endpoints = 3;
    private static readonly TimeSpan Answered = TimeSpan.FromSeconds(60);
    private int _fresh = 100_000;

    /// <summary>The bed; null where none can be made.</summary>
    internal ProxyBed Bed { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (ProxyBed.Missing() is not null)
        {
            return;
        }

        string folder = Path.Combine(Path.GetTempPath(), $"na-bed-{Environment.ProcessId % 10000}");
        Bed = await ProxyBed.UpAsync(new HarnessOptions { Folder = folder, Prefix = $"nab{Environment.ProcessId % 10000}", ControlPlane = ControlPlaneKind.StandIn }, 70 + (Environment.ProcessId % 100));
        await Bed.CreateServicesAsync(Services, Endpoints);
    }

    public async Task DisposeAsync()
    {
        if (Bed is not null)
        {
            await Bed.DisposeAsync();
        }
    }

    /// <summary>Starts a proxy by words as "ours iptables" and waits until it routes what it is told; not null where it cannot be had.</summary>
    internal async Task StartAsync(string words, string syncPeriod = "30s")
    {
        string[] parts = words.Split(' ');
        Bed.StartProxy(parts[1], parts[0] == "Go" ? Requirements.Kubernetes("kube-proxy") : null, syncPeriod);
        await RoutesAsync(0);
        await RoutesAsync(Services - 1);
    }

    /// <summary>Gives a Service an endpoint it never had, beside others, and waits until it answers: what runs now has programmed it.</summary>
    internal async Task RoutesAsync(int service)
    {
        string fresh = ProxyBed.Endpoint(Interlocked.Increment(ref _fresh));
        await Bed.SetEndpointsAsync(service, fresh, ProxyBed.Endpoint(service * Endpoints));
        await AnswersAsync(service, fresh);
    }

    /// <summary>Waits until an endpoint answers for a Service.</summary>
    internal async Task AnswersAsync(int service, string endpoint)
    {
        using ServiceClient client = new(Bed.Clients);
        await Harness.Host.Until.NothingMissesAsync($"{endpoint} answers for Service {service}", Answered, async () =>
        {
            for (int i = 0; i < 30; i++)
            {
                ServiceAnswer answer = await client.AskAsync(ProxyBed.ClusterIP(service), ProxyBed.Port, TimeSpan.FromSeconds(5));
                if (answer.Endpoint == endpoint)
                {
                    return null;
                }

                if (answer.Failure is not null)
                {
                    return answer.Failure;
                }
            }

            return $"others answer; {Bed.Proxy?.LogTail()}";
        });
    }

    /// <summary>Ends what runs and takes its rules away.</summary>
    internal async Task ClearAsync()
    {
        await Bed.StopProxyAsync();
        Bed.Flush();
    }
}
