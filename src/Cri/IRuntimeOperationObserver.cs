namespace NodeAgent.Cri;

/// <summary>Told of each finished CRI call; feeds kubelet_runtime_operations_total, _duration_seconds and _errors_total.</summary>
public interface IRuntimeOperationObserver
{
    /// <summary>A call ended. Called on the caller's path: must be quick and must not throw.</summary>
    /// <param name="operation">Value of the operation_type label, e.g. run_podsandbox (kuberuntime/instrumented_services.go).</param>
    /// <param name="elapsed">From the call's start to its end; for a stream: its whole life.</param>
    /// <param name="error">Null where it succeeded.</param>
    void Ended(string operation, TimeSpan elapsed, CriErrorKind? error);
}
