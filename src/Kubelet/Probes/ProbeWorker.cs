using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>One probe of one container of a pod: its spec and what it remembers. Guarded by its own lock.</summary>
internal sealed class ProbeWorker(Pod pod, Container container, ProbeType type, Probe probe)
{
    /// <summary>Guards all that changes.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Whose.</summary>
    public Pod Pod { get; } = pod;
    /// <summary>The container's spec.</summary>
    public Container Container { get; } = container;
    /// <summary>Which probe.</summary>
    public ProbeType Type { get; } = type;
    /// <summary>The probe.</summary>
    public Probe Probe { get; } = probe;
    /// <summary>Its times.</summary>
    public ProbeTimes Times { get; } = ProbeTimes.Of(probe);
    /// <summary>What it remembers.</summary>
    public ProbeState State { get; set; } = new();
    /// <summary>A try is under way.</summary>
    public bool IsProbing { get; set; }
    /// <summary>Something was observed while a try was under way.</summary>
    public bool LookAgain { get; set; }
    /// <summary>It is over.</summary>
    public bool IsStopped { get; set; }
    /// <summary>Time stamp of when the last try was to begin.</summary>
    public long LastDue { get; set; }
    /// <summary>The first try after a restart of the agent was put off by a random part of the period.</summary>
    public bool WasSpread { get; set; }

    /// <summary>The probes of a pod: of its containers and sidecars.</summary>
    public static IEnumerable<ProbeWorker> Of(Pod pod)
    {
        foreach (Container c in pod.Spec.Containers.Concat(pod.Spec.InitContainers.Where(i => i.RestartPolicy == "Always")))
        {
            foreach ((ProbeType type, Probe? probe) in new[]
            {
                (ProbeType.Startup, c.StartupProbe), (ProbeType.Readiness, c.ReadinessProbe), (ProbeType.Liveness, c.LivenessProbe),
            })
            {
                if (probe is not null)
                {
                    yield return new ProbeWorker(pod, c, type, probe);
                }
            }
        }
    }
}
