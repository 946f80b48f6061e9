using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Containers;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Kubelet.Sync;

/// <summary>
/// Gives running containers and their pod's cgroup other resources: memory, then CPU; where the pod gets more its cgroup goes first,
/// where it gets less its containers do. It stops at the first refusal, what is left is done by a later pass.
/// Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go (doPodResizeAction).
/// </summary>
internal sealed partial class PodResizer(IRuntimeService runtime, ResizeNeeds needs, ContainerLimitsOptions limits, ILogger logger)
{
    /// <summary>Carries the resizes of one plan out.</summary>
    /// <param name="pod">With its allocated resources.</param>
    /// <param name="actions">The plan; its sandbox stays.</param>
    /// <param name="cancellationToken">Looked at between steps.</param>
    /// <returns>Null where all is done, else what went wrong.</returns>
    public async Task<string?> ActuateAsync(Pod pod, PodActions actions, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        string? error = await TryActuateAsync(pod, actions, cancellationToken);
        needs.Measured(error is null, Stopwatch.GetElapsedTime(began));
        return error;
    }

    private async Task<string?> TryActuateAsync(Pod pod, PodActions actions, CancellationToken cancellationToken)
    {
        try
        {
            CgroupLimits wanted = needs.Cgroups.Limits(pod), known = await needs.Cgroups.ReadAsync(pod, cancellationToken);
            var run = new Run(pod, actions.SandboxId ?? "", wanted with { Memory = wanted.Memory ?? known.Memory, CpuQuota = wanted.CpuQuota ?? known.CpuQuota }, known);
            bool whole = actions.ResizePod || actions.ResizePodLevel;
            if ((!actions.ResizeMemory.IsEmpty || whole) && await RefusedAsync(run, actions, cancellationToken) is { } refused)
            {
                return refused;
            }

            if (!actions.ResizeMemory.IsEmpty || whole)
            {
                await StepAsync(run, actions.ResizeMemory, isMemory: true, cancellationToken);
                Actuated(pod, actions, PodResources.Memory);
            }

            if (!actions.ResizeCpu.IsEmpty || whole)
            {
                await StepAsync(run, actions.ResizeCpu, isMemory: false, cancellationToken);
                Actuated(pod, actions, PodResources.Cpu);
            }

            return null;
        }
        catch (Exception e) when (e is CriException or CgroupException)
        {
            LogFailed(pod.Ref, e.Message);
            return e.Message;
        }
    }

    private void Actuated(Pod pod, PodActions actions, string resource)
    {
        if (actions.ResizePodLevel)
        {
            ResourceRequirements last = needs.Actuated.Get(pod.Uid)?.PodLevel ?? ResourceRequirements.Empty;
            needs.Actuated.SetPodLevel(pod.Uid, last with
            {
                Requests = With(last.Requests, pod.Spec.Resources?.Requests, resource),
                Limits = With(last.Limits, pod.Spec.Resources?.Limits, resource),
            });
        }
    }

    private static Dictionary<string, Quantity> With(IReadOnlyDictionary<string, Quantity> list, IReadOnlyDictionary<string, Quantity>? from, string resource)
    {
        var changed = list.Where(p => p.Key != resource).ToDictionary();
        if (PodResources.Amount(from, resource) is { } amount)
        {
            changed[resource] = amount;
        }

        return changed;
    }

    private async Task StepAsync(Run run, IReadOnlyList<ContainerResize> resizes, bool isMemory, CancellationToken cancellationToken)
    {
        CgroupLimits limit = isMemory ? new CgroupLimits { Memory = run.Wanted.Memory } : new CgroupLimits { CpuQuota = run.Wanted.CpuQuota, CpuPeriod = run.Wanted.CpuPeriod };
        CgroupLimits request = isMemory ? CgroupLimits.None : new CgroupLimits { CpuShares = run.Wanted.CpuShares };
        int limitGrows = isMemory ? Grows(run.Known.Memory, limit.Memory) : Grows(run.Known.CpuQuota, limit.CpuQuota);
        int requestGrows = isMemory ? 0 : Grows(run.Known.CpuShares, request.CpuShares);
        cancellationToken.ThrowIfCancellationRequested();
        await SetPodAsync(run, limit, limitGrows > 0);
        await SetPodAsync(run, request, requestGrows > 0);
        foreach (ContainerResize resize in resizes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await UpdateAsync(run, resize, isMemory);
        }

        await SetPodAsync(run, request, requestGrows < 0);
        await SetPodAsync(run, limit, limitGrows < 0);
    }

    /// <summary>The runtime is told first: where it refuses, nothing is changed; where the cgroup cannot be changed, it is told the old values.</summary>
    private async Task SetPodAsync(Run run, CgroupLimits change, bool due)
    {
        if (!due)
        {
            return;
        }

        CgroupLimits next = run.Told with
        {
            CpuShares = change.CpuShares ?? run.Told.CpuShares,
            CpuQuota = change.CpuQuota ?? run.Told.CpuQuota,
            CpuPeriod = change.CpuQuota is null ? run.Told.CpuPeriod : change.CpuPeriod,
            Memory = change.Memory ?? run.Told.Memory,
        };
        await TellAsync(run, next);
        try
        {
            await needs.Cgroups.SetAsync(run.Pod, change, CancellationToken.None);
        }
        catch (CgroupException)
        {
            await TellAsync(run, run.Told);
            throw;
        }

        run.Told = next;
    }

    private async Task TellAsync(Run run, CgroupLimits now)
    {
        var request = new UpdatePodSandboxResourcesRequest
        {
            PodSandboxId = run.SandboxId,
            Overhead = ContainerResourcesBuilder.FromQuantities(run.Pod.Spec.Overhead),
            Resources = WithoutOverhead(now, run.Pod.Spec.Overhead),
        };
        try
        {
            await runtime.UpdatePodSandboxResourcesAsync(request, CancellationToken.None);
        }
        catch (CriException e) when (e.StatusCode == Grpc.StatusCode.Unimplemented
            || (e.StatusCode == Grpc.StatusCode.Unknown && e.Detail.Contains("not implemented", StringComparison.Ordinal)))
        {
            // Most runtimes need not know; containerd 2.2 says so in words only.
        }
    }

    private async Task UpdateAsync(Run run, ContainerResize resize, bool isMemory)
    {
        string name = resize.Container.Name ?? "";
        ResourceAmounts current = run.Given.GetValueOrDefault(name, resize.Current);
        ResourceAmounts next = isMemory
            ? current with { MemoryLimit = resize.Desired.MemoryLimit, MemoryRequest = resize.Desired.MemoryRequest }
            : current with { CpuLimit = resize.Desired.CpuLimit, CpuRequest = resize.Desired.CpuRequest };
        ResourceRequirements resources = next.ToRequirements();
        await runtime.UpdateContainerResourcesAsync(
            new UpdateContainerResourcesRequest
            {
                ContainerId = resize.Id.Id,
                Linux = ContainerResourcesBuilder.Build(run.Pod, resize.Container with { Resources = resources }, limits),
            }, CancellationToken.None);
        run.Given[name] = next;
        needs.Actuated.Set(run.Pod.Uid, name, PodResources.OfContainer(run.Pod.Spec.Resources, resources));
    }

    /// <summary>A memory limit below what is in use would kill processes: better not to begin.</summary>
    private async Task<string?> RefusedAsync(Run run, PodActions actions, CancellationToken cancellationToken)
    {
        List<string> problems = [];
        if (Grows(run.Known.Memory, run.Wanted.Memory) < 0)
        {
            Compare(await needs.Cgroups.MemoryUsageAsync(run.Pod, cancellationToken), run.Wanted.Memory!.Value, "pod", "pod", problems);
        }

        foreach (ContainerResize r in actions.ResizeMemory.Where(r => r.Desired.MemoryLimit != 0 && (r.Current.MemoryLimit == 0 || r.Desired.MemoryLimit < r.Current.MemoryLimit)))
        {
            MemoryUsage? usage = (await runtime.ContainerStatsAsync(new ContainerStatsRequest { ContainerId = r.Id.Id }, cancellationToken)).Stats?.Memory;
            ulong? bytes = usage?.UsageBytes?.Value ?? usage?.WorkingSetBytes?.Value;
            Compare((long?)bytes, r.Desired.MemoryLimit, $"container \"{r.Container.Name}\"", $"container \"{r.Container.Name}\"", problems);
        }

        return problems.Count == 0 ? null
            : $"cannot decrease memory limits: {(problems.Count == 1 ? problems[0] : $"[{string.Join(", ", problems)}]")}";
    }

    private static void Compare(long? usage, long limit, string missing, string what, List<string> problems)
    {
        if (usage is not { } bytes)
        {
            problems.Add($"missing {missing} memory usage");
        }
        else if (bytes >= limit)
        {
            problems.Add(string.Create(CultureInfo.InvariantCulture, $"attempting to set {what} memory limit ({limit}) below current usage ({bytes})"));
        }
    }

    private static LinuxContainerResources WithoutOverhead(CgroupLimits l, IReadOnlyDictionary<string, Quantity> overhead)
    {
        long cpu = PodResources.Amount(overhead, PodResources.Cpu)?.MilliValue() ?? 0, memory = PodResources.Amount(overhead, PodResources.Memory)?.Value() ?? 0;
        return new LinuxContainerResources
        {
            CpuPeriod = l.CpuPeriod,
            CpuQuota = l.CpuQuota is > 0 and var quota ? quota - CgroupUnits.QuotaOf(cpu, l.CpuPeriod) : l.CpuQuota ?? 0,
            CpuShares = l.CpuShares is { } shares ? cpu == 0 ? shares : CgroupUnits.SharesOf(CgroupUnits.MilliOfShares(shares) - cpu) : 0,
            MemoryLimitInBytes = l.Memory is > 0 and var bytes ? bytes - memory : l.Memory ?? 0,
        };
    }

    // No limit (negative) is the greatest of all; what is not known or not asked for does not change.
    private static int Grows(long? from, long? to) => from is { } a && to is { } b ? Ordered(b).CompareTo(Ordered(a)) : to is null ? 0 : 1;

    private static long Ordered(long limit) => limit < 0 ? long.MaxValue : limit;

    [LoggerMessage(2620, LogLevel.Warning, "Pod {Pod}: its resources could not all be changed, will be tried again: {Error}")]
    private partial void LogFailed(PodRef pod, string error);

    /// <summary>One run.</summary>
    private sealed class Run(Pod pod, string sandboxId, CgroupLimits wanted, CgroupLimits known)
    {
        public Pod Pod { get; } = pod;

        public string SandboxId { get; } = sandboxId;

        public CgroupLimits Wanted { get; } = wanted;

        public CgroupLimits Known { get; } = known;

        /// <summary>What the runtime was told last.</summary>
        public CgroupLimits Told { get; set; } = known;

        public Dictionary<string, ResourceAmounts> Given { get; } = [];
    }
}
