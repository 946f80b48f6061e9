using NodeAgent.Cri.Connection;
using NodeAgent.Cri.Tasks;
using NodeAgent.Cri.V1;

namespace NodeAgent.Cri;

/// <summary>The runtime service of a real container runtime.</summary>
/// <param name="connection">Where the calls go; may be shared with the other service's client.</param>
public sealed class RuntimeServiceClient(CriConnection connection) : IRuntimeService
{
    private readonly CriTimeLimits _limits = connection.Limits;
    private readonly LostTasks _lost = new(connection);

    /// <inheritdoc/>
    public Task<VersionResponse> VersionAsync(VersionRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.Version, "version", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<RunPodSandboxResponse> RunPodSandboxAsync(RunPodSandboxRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.RunPodSandbox, "run_podsandbox", _limits.RunPodSandbox, request, cancellationToken);

    /// <inheritdoc/>
    public Task<StopPodSandboxResponse> StopPodSandboxAsync(StopPodSandboxRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.StopPodSandbox, "stop_podsandbox", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<RemovePodSandboxResponse> RemovePodSandboxAsync(RemovePodSandboxRequest request, CancellationToken cancellationToken) =>
        _lost.RemovedAsync(
            () => connection.ChangeAsync(RuntimeServiceMethods.RemovePodSandbox, "remove_podsandbox", _limits.Normal, request, cancellationToken),
            async id => id == request.PodSandboxId || await IsInSandboxAsync(id, request.PodSandboxId));

    /// <inheritdoc/>
    public Task<PodSandboxStatusResponse> PodSandboxStatusAsync(PodSandboxStatusRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.PodSandboxStatus, "podsandbox_status", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ListPodSandboxResponse> ListPodSandboxAsync(ListPodSandboxRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ListPodSandbox, "list_podsandbox", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamPodSandboxesResponse> StreamPodSandboxes(StreamPodSandboxesRequest request, CancellationToken cancellationToken) =>
        connection.Stream(RuntimeServiceMethods.StreamPodSandboxes, "list_podsandbox", request, cancellationToken);

    /// <inheritdoc/>
    public Task<CreateContainerResponse> CreateContainerAsync(CreateContainerRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.CreateContainer, "create_container", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<StartContainerResponse> StartContainerAsync(StartContainerRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.StartContainer, "start_container", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<StopContainerResponse> StopContainerAsync(StopContainerRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.StopContainer, "stop_container", _limits.StopContainer(request), request, cancellationToken);

    /// <inheritdoc/>
    public Task<RemoveContainerResponse> RemoveContainerAsync(RemoveContainerRequest request, CancellationToken cancellationToken) =>
        _lost.RemovedAsync(
            () => connection.ChangeAsync(RuntimeServiceMethods.RemoveContainer, "remove_container", _limits.Normal, request, cancellationToken),
            id => Task.FromResult(id == request.ContainerId));

    /// <inheritdoc/>
    public Task<ListContainersResponse> ListContainersAsync(ListContainersRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ListContainers, "list_containers", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamContainersResponse> StreamContainers(StreamContainersRequest request, CancellationToken cancellationToken) =>
        connection.Stream(RuntimeServiceMethods.StreamContainers, "list_containers", request, cancellationToken);

    /// <inheritdoc/>
    public Task<ContainerStatusResponse> ContainerStatusAsync(ContainerStatusRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ContainerStatus, "container_status", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<UpdateContainerResourcesResponse> UpdateContainerResourcesAsync(UpdateContainerResourcesRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.UpdateContainerResources, "update_container", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ReopenContainerLogResponse> ReopenContainerLogAsync(ReopenContainerLogRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.ReopenContainerLog, "reopen_container_log", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ExecSyncResponse> ExecSyncAsync(ExecSyncRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ExecSync, "exec_sync", _limits.ExecSync(request), request, cancellationToken);

    /// <inheritdoc/>
    public Task<ExecResponse> ExecAsync(ExecRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.Exec, "exec", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<AttachResponse> AttachAsync(AttachRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.Attach, "attach", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<PortForwardResponse> PortForwardAsync(PortForwardRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.PortForward, "port_forward", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ContainerStatsResponse> ContainerStatsAsync(ContainerStatsRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ContainerStats, "container_stats", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ListContainerStatsResponse> ListContainerStatsAsync(ListContainerStatsRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ListContainerStats, "list_container_stats", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamContainerStatsResponse> StreamContainerStats(StreamContainerStatsRequest request, CancellationToken cancellationToken) =>
        connection.Stream(RuntimeServiceMethods.StreamContainerStats, "list_container_stats", request, cancellationToken);

    /// <inheritdoc/>
    public Task<PodSandboxStatsResponse> PodSandboxStatsAsync(PodSandboxStatsRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.PodSandboxStats, "podsandbox_stats", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ListPodSandboxStatsResponse> ListPodSandboxStatsAsync(ListPodSandboxStatsRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ListPodSandboxStats, "list_podsandbox_stats", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamPodSandboxStatsResponse> StreamPodSandboxStats(StreamPodSandboxStatsRequest request, CancellationToken cancellationToken) =>
        connection.Stream(RuntimeServiceMethods.StreamPodSandboxStats, "list_podsandbox_stats", request, cancellationToken);

    /// <inheritdoc/>
    public Task<UpdateRuntimeConfigResponse> UpdateRuntimeConfigAsync(UpdateRuntimeConfigRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.UpdateRuntimeConfig, "update_runtime_config", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<StatusResponse> StatusAsync(StatusRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.Status, "status", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<CheckpointContainerResponse> CheckpointContainerAsync(CheckpointContainerRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.CheckpointContainer, "checkpoint_container", _limits.CheckpointContainer(request), request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<ContainerEventResponse> GetContainerEvents(GetEventsRequest request, CancellationToken cancellationToken) =>
        connection.Stream(RuntimeServiceMethods.GetContainerEvents, "get_container_events", request, cancellationToken);

    /// <inheritdoc/>
    public Task<ListMetricDescriptorsResponse> ListMetricDescriptorsAsync(ListMetricDescriptorsRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ListMetricDescriptors, "list_metric_descriptors", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<ListPodSandboxMetricsResponse> ListPodSandboxMetricsAsync(ListPodSandboxMetricsRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.ListPodSandboxMetrics, "list_podsandbox_metrics", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StreamPodSandboxMetricsResponse> StreamPodSandboxMetrics(StreamPodSandboxMetricsRequest request, CancellationToken cancellationToken) =>
        connection.Stream(RuntimeServiceMethods.StreamPodSandboxMetrics, "list_podsandbox_metrics", request, cancellationToken);

    /// <inheritdoc/>
    public Task<RuntimeConfigResponse> RuntimeConfigAsync(RuntimeConfigRequest request, CancellationToken cancellationToken) =>
        connection.ReadAsync(RuntimeServiceMethods.RuntimeConfig, "runtime_config", _limits.Normal, request, cancellationToken);

    /// <inheritdoc/>
    public Task<UpdatePodSandboxResourcesResponse> UpdatePodSandboxResourcesAsync(UpdatePodSandboxResourcesRequest request, CancellationToken cancellationToken) =>
        connection.ChangeAsync(RuntimeServiceMethods.UpdatePodSandboxResources, "update_podsandbox_resources", _limits.Normal, request, cancellationToken);

    private async Task<bool> IsInSandboxAsync(string container, string sandbox)
    {
        var request = new ListContainersRequest { Filter = new ContainerFilter { Id = container, PodSandboxId = sandbox } };
        return (await ListContainersAsync(request, CancellationToken.None)).Containers.Any(c => c.Id == container && c.PodSandboxId == sandbox);
    }
}
