using Microsoft.Extensions.Logging;
using NodeAgent.Linux.Netlink;
using NodeAgent.Linux.Netlink.Conntrack;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Conntrack;

/// <summary>What one cleaning did.</summary>
/// <param name="Deleted">Flows deleted.</param>
/// <param name="Duration">How long it took.</param>
public sealed record ConntrackPass(int Deleted, TimeSpan Duration);

/// <summary>Deletes stale UDP flows of one family after a pass that changed endpoints of UDP services.</summary>
/// <param name="state">The services.</param>
/// <param name="open">Opens a socket in the wanted network namespace.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class ConntrackCleaner(ProxyState state, Func<NetlinkSocket> open, TimeProvider time, ILogger<ConntrackCleaner> logger)
{
    /// <summary>Called after each cleaning.</summary>
    public event Action<ConntrackPass>? Passed;

    /// <summary>Cleans where endpoints of a UDP service changed since the last time; a failure is told and left until the next change.</summary>
    public void CleanIfNeeded()
    {
        if (!state.TakeUdpChange())
        {
            return;
        }

        long start = time.GetTimestamp();
        var stale = new StaleFlows(state.Services.SelectMany(n => state.Of(n)).Select(p => (p.Port, (IReadOnlyCollection<Endpoint>)p.Endpoints)));
        if (stale.IsEmpty)
        {
            return;
        }

        try
        {
            using var connection = new ConntrackConnection(open());
            int deleted = connection.DeleteUdp(state.Family == IPFamily.IPv4 ? (byte)2 : (byte)10, stale.Contains);
            Passed?.Invoke(new ConntrackPass(deleted, time.GetElapsedTime(start)));
            LogCleaned(deleted, state.Family);
        }
        catch (NetlinkException e)
        {
            LogFailed(state.Family, e.Message);
        }
    }

    [LoggerMessage(4160, LogLevel.Debug, "{Deleted} stale UDP flows of {Family} deleted")]
    private partial void LogCleaned(int deleted, IPFamily family);

    [LoggerMessage(4161, LogLevel.Error, "Stale UDP flows of {Family} cannot be deleted, they are looked at with the next change: {Error}")]
    private partial void LogFailed(IPFamily family, string error);
}
