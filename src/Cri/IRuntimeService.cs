using NodeAgent.Cri.V1;

namespace NodeAgent.Cri;

/// <summary>
/// The CRI's runtime service, one method for each RPC, named as the CRI names them. All throw <see cref="CriException"/>.
/// A call that changes something looks at the token only before it is sent and then ends by its time limit alone.
/// </summary>
public interface IRuntimeService
{
    /// <summary>Names and versions of the runtime; the first call on a connection.</summary>
    Task<VersionResponse> VersionAsync(VersionRequest request, CancellationToken cancellationToken);

    /// <summary>Creates and starts a sandbox with its network. Limit: twice the normal one.</summary>
    Task<RunPodSandboxResponse> RunPodSandboxAsync(RunPodSandboxRequest request, CancellationToken cancellationToken);

    /// <summary>Stops a sandbox, kills what still runs in it and frees its network. containerd 1.6 answers NotFound for one that is gone, against the CRI: take it as done.</summary>
    Task<StopPodSandboxResponse> StopPodSandboxAsync(StopPodSandboxRequest request, CancellationToken cancellationToken);

    /// <summary>Removes a sandbox and its containers. Idempotent.</summary>
    Task<RemovePodSandboxResponse> RemovePodSandboxAsync(RemovePodSandboxRequest request, CancellationToken cancellationToken);

    /// <summary>State, addresses and namespaces of one sandbox.</summary>
    Task<PodSandboxStatusResponse> PodSandboxStatusAsync(PodSandboxStatusRequest request, CancellationToken cancellationToken);

    /// <summary>Sandboxes that match the filter.</summary>
    Task<ListPodSandboxResponse> ListPodSandboxAsync(ListPodSandboxRequest request, CancellationToken cancellationToken);

    /// <summary>As the list call, in parts (gate CRIListStreaming).</summary>
    IAsyncEnumerable<StreamPodSandboxesResponse> StreamPodSandboxes(StreamPodSandboxesRequest request, CancellationToken cancellationToken);

    /// <summary>Creates a container in a sandbox; does not start it.</summary>
    Task<CreateContainerResponse> CreateContainerAsync(CreateContainerRequest request, CancellationToken cancellationToken);

    /// <summary>Starts a created container.</summary>
    Task<StartContainerResponse> StartContainerAsync(StartContainerRequest request, CancellationToken cancellationToken);

    /// <summary>Signals, waits request.timeout seconds, kills. Limit: the normal one plus that wait. Idempotent.</summary>
    Task<StopContainerResponse> StopContainerAsync(StopContainerRequest request, CancellationToken cancellationToken);

    /// <summary>Removes a container, killing it where it runs. Idempotent.</summary>
    Task<RemoveContainerResponse> RemoveContainerAsync(RemoveContainerRequest request, CancellationToken cancellationToken);

    /// <summary>Containers that match the filter.</summary>
    Task<ListContainersResponse> ListContainersAsync(ListContainersRequest request, CancellationToken cancellationToken);

    /// <summary>As the list call, in parts (gate CRIListStreaming).</summary>
    IAsyncEnumerable<StreamContainersResponse> StreamContainers(StreamContainersRequest request, CancellationToken cancellationToken);

    /// <summary>State, times, exit code, mounts and resources of one container.</summary>
    Task<ContainerStatusResponse> ContainerStatusAsync(ContainerStatusRequest request, CancellationToken cancellationToken);

    /// <summary>Changes cgroup limits of a running container.</summary>
    Task<UpdateContainerResourcesResponse> UpdateContainerResourcesAsync(UpdateContainerResourcesRequest request, CancellationToken cancellationToken);

    /// <summary>Makes the runtime open the log file anew after a rotation.</summary>
    Task<ReopenContainerLogResponse> ReopenContainerLogAsync(ReopenContainerLogRequest request, CancellationToken cancellationToken);

    /// <summary>Runs a command and returns its output. Limit: the normal one plus request.timeout; none where that is 0.</summary>
    Task<ExecSyncResponse> ExecSyncAsync(ExecSyncRequest request, CancellationToken cancellationToken);

    /// <summary>Prepares a streaming exec and gives its URL.</summary>
    Task<ExecResponse> ExecAsync(ExecRequest request, CancellationToken cancellationToken);

    /// <summary>Prepares a streaming attach and gives its URL.</summary>
    Task<AttachResponse> AttachAsync(AttachRequest request, CancellationToken cancellationToken);

    /// <summary>Prepares a streaming port-forward and gives its URL.</summary>
    Task<PortForwardResponse> PortForwardAsync(PortForwardRequest request, CancellationToken cancellationToken);

    /// <summary>Usage of one container.</summary>
    Task<ContainerStatsResponse> ContainerStatsAsync(ContainerStatsRequest request, CancellationToken cancellationToken);

    /// <summary>Usage of the containers that match the filter.</summary>
    Task<ListContainerStatsResponse> ListContainerStatsAsync(ListContainerStatsRequest request, CancellationToken cancellationToken);

    /// <summary>As the list call, in parts (gate CRIListStreaming).</summary>
    IAsyncEnumerable<StreamContainerStatsResponse> StreamContainerStats(StreamContainerStatsRequest request, CancellationToken cancellationToken);

    /// <summary>Usage of one sandbox.</summary>
    Task<PodSandboxStatsResponse> PodSandboxStatsAsync(PodSandboxStatsRequest request, CancellationToken cancellationToken);

    /// <summary>Usage of the sandboxes that match the filter.</summary>
    Task<ListPodSandboxStatsResponse> ListPodSandboxStatsAsync(ListPodSandboxStatsRequest request, CancellationToken cancellationToken);

    /// <summary>As the list call, in parts (gate CRIListStreaming).</summary>
    IAsyncEnumerable<StreamPodSandboxStatsResponse> StreamPodSandboxStats(StreamPodSandboxStatsRequest request, CancellationToken cancellationToken);

    /// <summary>Tells the runtime the pod CIDR.</summary>
    Task<UpdateRuntimeConfigResponse> UpdateRuntimeConfigAsync(UpdateRuntimeConfigRequest request, CancellationToken cancellationToken);

    /// <summary>Conditions RuntimeReady and NetworkReady, runtime handlers, features.</summary>
    Task<StatusResponse> StatusAsync(StatusRequest request, CancellationToken cancellationToken);

    /// <summary>Writes a checkpoint archive. Limit: the normal one, or request.timeout seconds where given.</summary>
    Task<CheckpointContainerResponse> CheckpointContainerAsync(CheckpointContainerRequest request, CancellationToken cancellationToken);

    /// <summary>Container events until cancelled. Unimplemented in older runtimes.</summary>
    IAsyncEnumerable<ContainerEventResponse> GetContainerEvents(GetEventsRequest request, CancellationToken cancellationToken);

    /// <summary>Descriptors of the metrics that ListPodSandboxMetrics gives.</summary>
    Task<ListMetricDescriptorsResponse> ListMetricDescriptorsAsync(ListMetricDescriptorsRequest request, CancellationToken cancellationToken);

    /// <summary>cAdvisor-shaped metrics of all sandboxes.</summary>
    Task<ListPodSandboxMetricsResponse> ListPodSandboxMetricsAsync(ListPodSandboxMetricsRequest request, CancellationToken cancellationToken);

    /// <summary>As the list call, in parts (gate CRIListStreaming).</summary>
    IAsyncEnumerable<StreamPodSandboxMetricsResponse> StreamPodSandboxMetrics(StreamPodSandboxMetricsRequest request, CancellationToken cancellationToken);

    /// <summary>The cgroup driver the runtime uses. Unimplemented in older runtimes.</summary>
    Task<RuntimeConfigResponse> RuntimeConfigAsync(RuntimeConfigRequest request, CancellationToken cancellationToken);

    /// <summary>Tells the runtime of changed pod-level resources. Unimplemented in older runtimes.</summary>
    Task<UpdatePodSandboxResourcesResponse> UpdatePodSandboxResourcesAsync(UpdatePodSandboxResourcesRequest request, CancellationToken cancellationToken);
}
