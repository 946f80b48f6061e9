using System.Net;
using System.Net.Sockets;
using NodeAgent.Cri.Health.V1;
using NodeAgent.Grpc;
using NodeAgent.Grpc.Client;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>grpc.health.v1.Health/Check without TLS. Source: pkg/probe/grpc.</summary>
internal sealed class GrpcProber(ProbeConnector connector, TimeProvider time)
{
    private static readonly Method<HealthCheckRequest, HealthCheckResponse> Check = new(
        "grpc.health.v1.Health", "Check", HealthCheckRequest.Parser, HealthCheckResponse.Parser);

    /// <summary>One try.</summary>
    public async Task<AttemptResult> ProbeAsync(ProbeAttempt attempt, CancellationToken stop)
    {
        GRPCAction action = attempt.Handler.Grpc!;
        string target = ProbeSupport.Join(attempt.PodIP, action.Port), limit = ProbeSupport.Seconds(attempt.Timeout);
        await using var deadline = new ProbeDeadline(attempt.Timeout, time, stop);
        try
        {
            // Connected first and by itself, so that "cannot connect" and "does not answer" are told apart.
            using (await connector.ConnectAsync(attempt.PodIP, action.Port, deadline.Token))
            {
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or IOException && !stop.IsCancellationRequested)
        {
            return deadline.Judge(e, $"timeout: failed to connect service \"{target}\" within {limit}: {ProbeConnector.Describe(attempt.PodIP, action.Port, e)}");
        }

        var address = new IPEndPoint((await connector.ResolveAsync(attempt.PodIP, deadline.Token))[0], action.Port);
        using GrpcChannel channel = GrpcChannel.ForTcp(address, new GrpcChannelOptions { UserAgent = ProbeSupport.UserAgent, Authority = target, ConnectTimeout = attempt.Timeout, Time = time });
        try
        {
            HealthCheckResponse answer = await channel.UnaryCallAsync(Check, new HealthCheckRequest { Service = action.Service ?? "" }, default, deadline.Token);
            return answer.Status == HealthCheckResponse.Types.ServingStatus.Serving
                ? new(AttemptOutcome.Success, "service healthy")
                : new(AttemptOutcome.Failure, $"service unhealthy (responded with \"{Name(answer.Status)}\")");
        }
        catch (OperationCanceledException e) when (!stop.IsCancellationRequested)
        {
            return deadline.Judge(e, $"timeout: health rpc did not complete within {limit}");
        }
        catch (RpcException e) when (!stop.IsCancellationRequested)
        {
            return e.StatusCode switch
            {
                _ when deadline.IsUp => deadline.Judge(new OperationCanceledException(), $"timeout: health rpc did not complete within {limit}"),
                StatusCode.Unimplemented => new(AttemptOutcome.Failure, $"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {e.Status.Detail}"),
                StatusCode.DeadlineExceeded => new(AttemptOutcome.Failure, $"timeout: health rpc did not complete within {limit}"),
                _ => new(AttemptOutcome.Failure, $"error: health rpc probe failed: rpc error: code = {e.StatusCode} desc = {e.Status.Detail}"),
            };
        }
    }

    private static string Name(HealthCheckResponse.Types.ServingStatus status) => status switch
    {
        HealthCheckResponse.Types.ServingStatus.NotServing => "NOT_SERVING",
        HealthCheckResponse.Types.ServingStatus.ServiceUnknown => "SERVICE_UNKNOWN",
        _ => "UNKNOWN",
    };
}
