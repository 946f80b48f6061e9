using NodeAgent.StandIn.Identity;
using NodeAgent.StandIn.Requests;
using NodeAgent.StandIn.Storage;

namespace NodeAgent.StandIn.Controllers;

/// <summary>Runs the controllers one after the other whenever one of their inputs has changed.</summary>
internal sealed class ControllerLoop
{
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);
    private readonly List<IController> _controllers;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly HashSet<ResourceDefinition> _changed = [.. ResourceTable.All];
    private TaskCompletionSource _wake = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ControllerLoop(ObjectWriter writer, Subresources subresources, CertificateIssuer issuer, StandInOptions options)
    {
        _time = options.Time;
        _controllers =
        [
            new CertificateController(writer, issuer),
            new NodeLifecycleController(writer, options.Time, options.NodeMonitorGracePeriod),
            new DeploymentController(writer),
            new ReplicaSetController(writer),
            new DaemonSetController(writer),
            new JobController(writer, options.Time),
            new EndpointSliceController(writer),
            new DisruptionController(writer),
            new NamespaceController(writer),
            new GarbageCollector(writer),
        ];
        if (options.Scheduler)
            _controllers.Add(new SchedulingController(writer, subresources));
        Action<StoreEvent>? next = writer.Store.Changed;
        writer.Store.Changed = change =>
        {
            next?.Invoke(change);
            Note(change.Definition);
        };
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        long ticked = 0;
        try
        {
            while (true)
            {
                bool tick = ticked == 0 || _time.GetElapsedTime(ticked) >= TimeSpan.FromSeconds(1);
                if (tick)
                    ticked = _time.GetTimestamp();
                HashSet<ResourceDefinition> changed = Take(out Task wake);
                foreach (IController controller in _controllers)
                    if ((tick && controller.Ticks) || controller.Inputs.Any(changed.Contains))
                        Run(controller);
                await Task.WhenAny(wake, Task.Delay(TimeSpan.FromSeconds(1), _time, stopping));
                await Task.Delay(Gather, stopping);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private static void Run(IController controller)
    {
        try
        {
            controller.Reconcile();
        }
        catch (Exception e)
        {
            // A defect of one controller must not silence the others; it shows in the log and in what does not happen.
            Console.Error.WriteLine($"{controller.GetType().Name}: {e}");
        }
    }

    private void Note(ResourceDefinition definition)
    {
        lock (_gate)
        {
            _changed.Add(definition);
            _wake.TrySetResult();
        }
    }

    private HashSet<ResourceDefinition> Take(out Task wake)
    {
        lock (_gate)
        {
            HashSet<ResourceDefinition> changed = [.. _changed];
            _changed.Clear();
            _wake = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            wake = _wake.Task;
            return changed;
        }
    }
}
