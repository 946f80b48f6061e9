using NodeAgent.Cri.V1;

namespace NodeAgent.FakeCriRuntime;

/// <summary>Which event stream the fake serves.</summary>
public enum FakeEvents
{
    /// <summary>CRI GetContainerEvents.</summary>
    Cri,
    /// <summary>containerd's events service, as containerd 1.6 has it.</summary>
    Containerd,
    /// <summary>None.</summary>
    None,
}

/// <summary>How a container behaves when asked to stop.</summary>
/// <param name="Takes">Time from the signal to its exit; longer than the grace period means it is killed then (137).</param>
/// <param name="ExitCode">Exit code where it ends by itself.</param>
public sealed record StopBehaviour(TimeSpan Takes, int ExitCode);

/// <summary>What a fake runtime is made with.</summary>
public sealed record FakeRuntimeOptions
{
    /// <summary>The event stream.</summary>
    public FakeEvents Events { get; init; } = FakeEvents.Cri;

    /// <summary>Whether the CRI list-streaming RPCs are served.</summary>
    public bool ListStreaming { get; init; } = true;

    /// <summary>Whether log files are created and written at log_directory/log_path.</summary>
    public bool WriteLogs { get; init; }

    /// <summary>Answer to RuntimeConfig; null = Unimplemented.</summary>
    public CgroupDriver? CgroupDriver { get; init; } = Cri.V1.CgroupDriver.Cgroupfs;

    /// <summary>Runtime handlers in Status; "" is the default one.</summary>
    public IReadOnlyList<string> Handlers { get; init; } = [""];

    /// <summary>The clock of delays and timestamps.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
