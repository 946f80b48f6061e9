using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>Times and thresholds of a probe, defaults applied.</summary>
/// <param name="InitialDelay">From the container's start.</param>
/// <param name="Period">Between starts of two probes.</param>
/// <param name="Timeout">Of one probe.</param>
/// <param name="SuccessThreshold">Successes in a row that make a success.</param>
/// <param name="FailureThreshold">Failures in a row that make a failure.</param>
internal sealed record ProbeTimes(TimeSpan InitialDelay, TimeSpan Period, TimeSpan Timeout, int SuccessThreshold, int FailureThreshold)
{
    /// <summary>Reads a probe; what is absent or zero (static pods are not defaulted) takes the API's default.</summary>
    public static ProbeTimes Of(Probe probe) => new(
        TimeSpan.FromSeconds(Math.Max(probe.InitialDelaySeconds ?? 0, 0)), TimeSpan.FromSeconds(Or(probe.PeriodSeconds, 10)),
        TimeSpan.FromSeconds(Or(probe.TimeoutSeconds, 1)), Or(probe.SuccessThreshold, 1), Or(probe.FailureThreshold, 3));

    private static int Or(int? value, int standard) => value is > 0 ? value.Value : standard;
}

/// <summary>What is seen of a probe's container.</summary>
/// <param name="Container">The newest instance; null where there is none.</param>
/// <param name="Phase">Its state.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="Started">Its startup probe passed, or it has none.</param>
/// <param name="SurvivedRestart">It was started well before this agent was.</param>
internal readonly record struct ProbeSight(ContainerId? Container, ProbeTargetPhase Phase, DateTimeOffset StartedAt, bool Started, bool SurvivedRestart);

/// <summary>A container as a probe sees it.</summary>
internal enum ProbeTargetPhase
{
    /// <summary>Created, not started yet, or not known.</summary>
    Pending,
    /// <summary>Running.</summary>
    Running,
    /// <summary>Ended.</summary>
    Ended,
}

/// <summary>What a probe remembers.</summary>
/// <param name="Container">The instance the rest is about.</param>
/// <param name="Verdict">The verdict; null where there is none.</param>
/// <param name="OnHold">Not probed until there is a new instance.</param>
/// <param name="Last">The last single outcome.</param>
/// <param name="Run">How often in a row.</param>
internal sealed record ProbeState(ContainerId? Container = null, ProbeResult? Verdict = null, bool OnHold = false, ProbeResult Last = ProbeResult.Unknown, int Run = 0);

/// <summary>What to do next.</summary>
/// <param name="State">Remember this.</param>
/// <param name="Wait">null: nothing until something is observed; zero: probe now; else look again then.</param>
internal readonly record struct ProbeStep(ProbeState State, TimeSpan? Wait);

/// <summary>When a container is probed and what outcomes mean. Pure. Source: pkg/kubelet/prober/worker.go.</summary>
internal static class ProbeDecision
{
    /// <summary>The verdict a new instance begins with.</summary>
    public static ProbeResult Initial(ProbeType type) => type switch
    {
        ProbeType.Liveness => ProbeResult.Success,
        ProbeType.Readiness => ProbeResult.Failure,
        _ => ProbeResult.Unknown,
    };

    /// <summary>Before a probe.</summary>
    public static ProbeStep Next(ProbeType type, ProbeTimes times, ProbeState state, ProbeSight sight, DateTimeOffset now)
    {
        if (sight.Container is not { } container)
        {
            return new(state, null);
        }

        if (state.Container != container)
        {
            // A container that ran before the agent did keeps the state its pod has, until a probe says otherwise.
            state = new ProbeState(container, !sight.SurvivedRestart ? Initial(type)
                : type == ProbeType.Startup && sight.Started ? ProbeResult.Success : null);
        }

        if (state.OnHold || sight.Phase == ProbeTargetPhase.Pending)
        {
            return new(state, null);
        }

        if (sight.Phase == ProbeTargetPhase.Ended)
        {
            return new(state with { Verdict = ProbeResult.Failure }, null);
        }

        if (sight.Started == (type == ProbeType.Startup))
        {
            return new(state, null);
        }

        TimeSpan wait = sight.StartedAt + times.InitialDelay - now;
        return new(state, times.InitialDelay > TimeSpan.Zero && wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
    }

    /// <summary>After a probe that gave Success or Failure.</summary>
    public static ProbeState After(ProbeType type, ProbeTimes times, ProbeState state, ProbeResult outcome)
    {
        int run = state.Last == outcome ? state.Run + 1 : 1;
        state = state with { Last = outcome, Run = run };
        if (run < (outcome == ProbeResult.Success ? times.SuccessThreshold : times.FailureThreshold))
        {
            return state;
        }

        state = state with { Verdict = outcome };
        return type == ProbeType.Startup || (type == ProbeType.Liveness && outcome == ProbeResult.Failure)
            ? state with { OnHold = true, Run = 0 } : state;
    }
}
