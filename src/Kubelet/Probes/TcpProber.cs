using System.Net.Sockets;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>tcpSocket: a connection that opens is a success. Source: pkg/probe/tcp.</summary>
internal sealed class TcpProber(ProbeConnector connector, TimeProvider time)
{
    /// <summary>One try.</summary>
    public async Task<AttemptResult> ProbeAsync(ProbeAttempt attempt, CancellationToken stop)
    {
        TCPSocketAction action = attempt.Handler.TcpSocket!;
        if (ProbeSupport.Port(action.Port, attempt.Container, out string problem) is not { } port)
        {
            return new(AttemptOutcome.Error, problem);
        }

        string host = string.IsNullOrEmpty(action.Host) ? attempt.PodIP : action.Host;
        await using var deadline = new ProbeDeadline(attempt.Timeout, time, stop);
        try
        {
            using Socket socket = await connector.ConnectAsync(host, port, deadline.Token);
            return new(AttemptOutcome.Success, "");
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or IOException && !stop.IsCancellationRequested)
        {
            return deadline.Judge(e, ProbeConnector.Describe(host, port, e));
        }
    }
}
