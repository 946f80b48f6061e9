using Microsoft.Extensions.Logging;

namespace NodeAgent.Cri.Connection;

/// <summary>Remembers whether the runtime answers and logs each change once.</summary>
internal sealed partial class ConnectionLog(CriEndpoint endpoint, string flag, ILogger logger)
{
    private int _unreachable;

    public bool IsReachable => Volatile.Read(ref _unreachable) == 0;

    public static string Remedy(string flag) => $"start the container runtime, or point {flag} at its socket";

    public void Answered()
    {
        if (Volatile.Read(ref _unreachable) != 0 && Interlocked.Exchange(ref _unreachable, 0) != 0) LogBack(logger, endpoint);
    }

    public void Unreachable(string reason)
    {
        if (Interlocked.Exchange(ref _unreachable, 1) == 0) LogGone(logger, endpoint, reason, Remedy(flag));
    }

    [LoggerMessage(3101, LogLevel.Warning, "Container runtime at {Endpoint} is not reachable: {Reason}; {Remedy}. Trying on by myself")]
    private static partial void LogGone(ILogger logger, CriEndpoint endpoint, string reason, string remedy);

    [LoggerMessage(3102, LogLevel.Information, "Container runtime at {Endpoint} answers again")]
    private static partial void LogBack(ILogger logger, CriEndpoint endpoint);
}
