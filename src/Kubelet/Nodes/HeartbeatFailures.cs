using NodeAgent.Kubernetes.Rest;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>What a failed heartbeat says about connections. Pure.</summary>
internal static class HeartbeatFailures
{
    /// <summary>
    /// True where no answer came, or one from a server that cannot serve: a new connection may lead elsewhere. A refusal (403, 409, 422)
    /// came over a connection that works, and every watch of the agent would pay for dropping it.
    /// </summary>
    public static bool CastDoubtOnConnections(Exception failure) =>
        failure is ApiUnreachableException || (failure is ApiException answer && (int)answer.StatusCode >= 500);
}
