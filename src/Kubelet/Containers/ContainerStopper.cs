using System.Globalization;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Stops containers: preStop, then the runtime's stop with what is left of the grace period. Source: kuberuntime_container.go (killContainer).</summary>
internal sealed class ContainerStopper(IRuntimeService runtime, LifecycleHooks hooks, IPodEventRecorder events, TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);
    private readonly PreStopRuns _preStops = new(time);

    /// <summary>Stops one container; a container that is gone already is a success.</summary>
    /// <param name="pod">Its pod; null where only the runtime knows it (grace and hook then come from annotations).</param>
    /// <param name="c">The instance.</param>
    /// <param name="message">For the Killing event.</param>
    /// <param name="grace">Overrides the spec's.</param>
    /// <param name="podIP">For HTTP hooks.</param>
    /// <param name="turn">Waited for after the hook began and before the stop: its time is taken from the grace period.</param>
    /// <param name="cancellationToken">Ends the waiting, never a stop or a hook under way: the next call goes on with that hook.</param>
    public async Task StopAsync(
        Pod? pod, RuntimeContainerStatus c, string message, TimeSpan? grace, string? podIP, Task? turn, CancellationToken cancellationToken)
    {
        ApiContainer spec = SpecOf(pod, c);
        TimeSpan left = grace ?? GraceOf(pod, c);
        if (pod is not null)
        {
            events.Record(pod, c.Name, "Normal", "Killing", message.Length > 0 ? message : $"Stopping container {c.Name}");
        }

        long began = time.GetTimestamp();
        if (spec.Lifecycle?.PreStop is { } preStop && left > TimeSpan.Zero && c.State == RuntimeContainerState.Running)
        {
            await PreStopAsync(pod, spec, preStop, c, left, podIP, cancellationToken);
        }

        if (turn is not null)
        {
            TimeSpan rest = left - time.GetElapsedTime(began);
            await Task.WhenAny(turn, Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, time, cancellationToken));
        }

        cancellationToken.ThrowIfCancellationRequested();
        left -= time.GetElapsedTime(began);
        long seconds = (long)Math.Ceiling((left > Shortest ? left : Shortest).TotalSeconds);
        try
        {
            await runtime.StopContainerAsync(new StopContainerRequest { ContainerId = c.Id.Id, Timeout = seconds }, CancellationToken.None).WaitAsync(cancellationToken);
        }
        catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
        {
            // Gone already.
        }

        _preStops.Forget(c.Id.Id);
    }

    private Task PreStopAsync(
        Pod? pod, ApiContainer spec, LifecycleHandler preStop, RuntimeContainerStatus c, TimeSpan limit, string? podIP, CancellationToken cancellationToken)
    {
        async Task Hook(CancellationToken stop)
        {
            if (await hooks.RunAsync(new LifecycleCall(pod, spec, preStop, c.Id.Id, podIP), stop) is not null && pod is not null)
            {
                events.Record(pod, c.Name, "Warning", "FailedPreStopHook", "PreStopHook failed");
            }
        }

        return _preStops.WaitAsync(c.Id.Id, Hook, limit, cancellationToken);
    }

    /// <summary>The spec, or what annotations remember of it.</summary>
    private static ApiContainer SpecOf(Pod? pod, RuntimeContainerStatus c)
    {
        if (pod?.Spec.Containers.Concat(pod.Spec.InitContainers).FirstOrDefault(x => x.Name == c.Name) is { } spec)
        {
            return spec;
        }

        return c.Annotations.TryGetValue(CriNames.PreStopHandler, out string? json) && Remembered(json) is { } preStop
            ? new ApiContainer { Name = c.Name, Lifecycle = new Lifecycle { PreStop = preStop } }
            : new ApiContainer { Name = c.Name };
    }

    private static LifecycleHandler? Remembered(string json)
    {
        try
        {
            return KubernetesJson.Deserialize<LifecycleHandler>(json);
        }
        catch (System.Text.Json.JsonException)
        {
            // An annotation that nobody can read must not keep the container from being stopped.
            return null;
        }
    }

    private static TimeSpan GraceOf(Pod? pod, RuntimeContainerStatus c)
    {
        long? seconds = pod?.Metadata.DeletionGracePeriodSeconds ?? pod?.Spec.TerminationGracePeriodSeconds;
        if (seconds is null)
        {
            foreach (string name in (string[])[CriNames.DeletionGracePeriod, CriNames.TerminationGracePeriod])
            {
                if (c.Annotations.TryGetValue(name, out string? text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long kept))
                {
                    seconds = kept;
                    break;
                }
            }
        }

        return seconds is { } s ? TimeSpan.FromSeconds(Math.Min(s, int.MaxValue / 1000)) : Shortest;
    }
}
