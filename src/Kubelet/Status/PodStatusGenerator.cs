using System.Collections.Immutable;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Status;

/// <summary>A pod's API status from spec, observation and verdicts. Pure. Source: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus).</summary>
public static class PodStatusGenerator
{
    /// <summary>Computes the status.</summary>
    public static PodStatus Generate(PodStatusInputs inputs)
    {
        Pod pod = inputs.Pod;
        bool initialised = Initialised(inputs);
        IReadOnlyList<ContainerStatus> main =
            [.. pod.Spec.Containers.Select(c => ContainerStatusBuilder.Build(inputs, c.Name, ContainerRole.Main, c.Image ?? "", initialised)).OrderBy(s => s.Name, StringComparer.Ordinal)];
        IReadOnlyList<ContainerStatus> init =
            [.. pod.Spec.InitContainers.Select(c => ContainerStatusBuilder.Build(inputs, c.Name, RoleOfInit(c), c.Image ?? "", initialised))];
        IReadOnlyList<ContainerStatus> ephemeral =
            [.. pod.Spec.EphemeralContainers.Select(c => ContainerStatusBuilder.Build(inputs, c.Name, ContainerRole.Ephemeral, c.Image ?? "", initialised)).OrderBy(s => s.Name, StringComparer.Ordinal)];

        ImmutableArray<string> podIPs = PodIPs(inputs);
        string phase = StickyPhase(inputs, PodPhase.Compute(pod, init, main, inputs.Finalised));
        PodStatus previous = inputs.Previous;
        PodStatus status = previous with
        {
            ObservedGeneration = pod.Metadata.Generation,
            Phase = phase,
            Reason = inputs.Failed?.Reason is { Length: > 0 } reason ? reason : previous.Reason,
            Message = inputs.Failed?.Message is { Length: > 0 } message ? message : previous.Message,
            HostIP = inputs.HostIPs.Length > 0 ? inputs.HostIPs[0] : previous.HostIP,
            HostIPs = inputs.HostIPs.Length > 0 ? [.. inputs.HostIPs.Select(ip => new HostIP { Ip = ip })] : previous.HostIPs,
            PodIP = podIPs.Length > 0 ? podIPs[0] : null,
            PodIPs = [.. podIPs.Select(ip => new PodIP { Ip = ip })],
            StartTime = previous.StartTime ?? inputs.Now,
            QosClass = previous.QosClass ?? inputs.QosClass,
            ContainerStatuses = main,
            InitContainerStatuses = init,
            EphemeralContainerStatuses = ephemeral,
        };
        if (inputs.TellsPodLevel)
        {
            status = status with { Resources = PodLevelStatus.Resources(inputs), AllocatedResources = PodResources.Requests(pod) };
        }

        return status with { Conditions = PodConditions.Compute(inputs, status) };
    }

    /// <summary>The status of a pod this node does not admit.</summary>
    public static PodStatus Rejected(Pod pod, string reason, string message, string qosClass, DateTimeOffset now) => pod.Status with
    {
        ObservedGeneration = pod.Metadata.Generation,
        Phase = "Failed",
        Reason = reason,
        Message = $"Pod was rejected: {message}",
        StartTime = pod.Status.StartTime ?? now,
        QosClass = pod.Status.QosClass ?? qosClass,
    };

    private static ContainerRole RoleOfInit(Container c) => c.RestartPolicy == "Always" ? ContainerRole.Sidecar : ContainerRole.Init;

    /// <summary>A main container that ever started, or all regular init containers done, means that the pod has initialised.</summary>
    private static bool Initialised(PodStatusInputs inputs)
    {
        Pod pod = inputs.Pod;
        if (pod.Spec.InitContainers.Count == 0
            || pod.Spec.Containers.Any(c => inputs.Runtime.Find(c.Name) is { State: not RuntimeContainerState.Created }
                || inputs.Previous.ContainerStatuses.Any(s => s.Name == c.Name && (s.State?.Running ?? (object?)s.State?.Terminated ?? s.LastState?.Terminated) is not null)))
        {
            return true;
        }

        return pod.Spec.InitContainers.Where(c => c.RestartPolicy != "Always").All(c =>
            inputs.Runtime.Find(c.Name) is { State: RuntimeContainerState.Exited, ExitCode: 0 }
            || inputs.Previous.InitContainerStatuses.Any(s => s.Name == c.Name && s.State?.Terminated is { ExitCode: 0 }));
    }

    private static ImmutableArray<string> PodIPs(PodStatusInputs inputs)
    {
        if (inputs.Pod.IsHostNetwork)
        {
            return inputs.HostIPs;
        }

        // Kept after the sandbox is gone: the last address stays readable in a pod that ended.
        return inputs.Runtime.IPs is { Length: > 0 } now ? now : [.. inputs.Previous.PodIPs.Select(p => p.Ip ?? "").Where(ip => ip.Length > 0)];
    }

    private static string StickyPhase(PodStatusInputs inputs, string computed)
    {
        if (inputs.Failed is { Reason.Length: > 0 })
        {
            return "Failed";
        }

        foreach (string? phase in (string?[])[inputs.Previous.Phase, inputs.Pod.Status.Phase])
        {
            if (phase is "Failed" or "Succeeded")
            {
                return phase;
            }
        }

        // A pod that ends before anything of it ran has no exit codes to tell success by.
        return inputs.Finalised && computed is not ("Failed" or "Succeeded") && !inputs.Pod.IsStatic ? "Failed" : computed;
    }
}
