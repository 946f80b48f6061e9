using NodeAgent.Cri.V1;
using NodeAgent.Grpc;

namespace NodeAgent.Cri;

/// <summary>The wire names and messages of runtime.v1.RuntimeService; servers register with the same values.</summary>
public static class RuntimeServiceMethods
{
    /// <summary>Full service name.</summary>
    public const string Service = "runtime.v1.RuntimeService";

    /// <summary>Version.</summary>
    public static Method<VersionRequest, VersionResponse> Version { get; } = new(Service, "Version", VersionRequest.Parser, VersionResponse.Parser);

    /// <summary>RunPodSandbox.</summary>
    public static Method<RunPodSandboxRequest, RunPodSandboxResponse> RunPodSandbox { get; } = new(Service, "RunPodSandbox", RunPodSandboxRequest.Parser, RunPodSandboxResponse.Parser);

    /// <summary>StopPodSandbox.</summary>
    public static Method<StopPodSandboxRequest, StopPodSandboxResponse> StopPodSandbox { get; } = new(Service, "StopPodSandbox", StopPodSandboxRequest.Parser, StopPodSandboxResponse.Parser);

    /// <summary>RemovePodSandbox.</summary>
    public static Method<RemovePodSandboxRequest, RemovePodSandboxResponse> RemovePodSandbox { get; } = new(Service, "RemovePodSandbox", RemovePodSandboxRequest.Parser, RemovePodSandboxResponse.Parser);

    /// <summary>PodSandboxStatus.</summary>
    public static Method<PodSandboxStatusRequest, PodSandboxStatusResponse> PodSandboxStatus { get; } = new(Service, "PodSandboxStatus", PodSandboxStatusRequest.Parser, PodSandboxStatusResponse.Parser);

    /// <summary>ListPodSandbox.</summary>
    public static Method<ListPodSandboxRequest, ListPodSandboxResponse> ListPodSandbox { get; } = new(Service, "ListPodSandbox", ListPodSandboxRequest.Parser, ListPodSandboxResponse.Parser);

    /// <summary>StreamPodSandboxes.</summary>
    public static Method<StreamPodSandboxesRequest, StreamPodSandboxesResponse> StreamPodSandboxes { get; } = new(Service, "StreamPodSandboxes", StreamPodSandboxesRequest.Parser, StreamPodSandboxesResponse.Parser);

    /// <summary>CreateContainer.</summary>
    public static Method<CreateContainerRequest, CreateContainerResponse> CreateContainer { get; } = new(Service, "CreateContainer", CreateContainerRequest.Parser, CreateContainerResponse.Parser);

    /// <summary>StartContainer.</summary>
    public static Method<StartContainerRequest, StartContainerResponse> StartContainer { get; } = new(Service, "StartContainer", StartContainerRequest.Parser, StartContainerResponse.Parser);

    /// <summary>StopContainer.</summary>
    public static Method<StopContainerRequest, StopContainerResponse> StopContainer { get; } = new(Service, "StopContainer", StopContainerRequest.Parser, StopContainerResponse.Parser);

    /// <summary>RemoveContainer.</summary>
    public static Method<RemoveContainerRequest, RemoveContainerResponse> RemoveContainer { get; } = new(Service, "RemoveContainer", RemoveContainerRequest.Parser, RemoveContainerResponse.Parser);

    /// <summary>ListContainers.</summary>
    public static Method<ListContainersRequest, ListContainersResponse> ListContainers { get; } = new(Service, "ListContainers", ListContainersRequest.Parser, ListContainersResponse.Parser);

    /// <summary>StreamContainers.</summary>
    public static Method<StreamContainersRequest, StreamContainersResponse> StreamContainers { get; } = new(Service, "StreamContainers", StreamContainersRequest.Parser, StreamContainersResponse.Parser);

    /// <summary>ContainerStatus.</summary>
    public static Method<ContainerStatusRequest, ContainerStatusResponse> ContainerStatus { get; } = new(Service, "ContainerStatus", ContainerStatusRequest.Parser, ContainerStatusResponse.Parser);

    /// <summary>UpdateContainerResources.</summary>
    public static Method<UpdateContainerResourcesRequest, UpdateContainerResourcesResponse> UpdateContainerResources { get; } = new(Service, "UpdateContainerResources", UpdateContainerResourcesRequest.Parser, UpdateContainerResourcesResponse.Parser);

    /// <summary>ReopenContainerLog.</summary>
    public static Method<ReopenContainerLogRequest, ReopenContainerLogResponse> ReopenContainerLog { get; } = new(Service, "ReopenContainerLog", ReopenContainerLogRequest.Parser, ReopenContainerLogResponse.Parser);

    /// <summary>ExecSync.</summary>
    public static Method<ExecSyncRequest, ExecSyncResponse> ExecSync { get; } = new(Service, "ExecSync", ExecSyncRequest.Parser, ExecSyncResponse.Parser);

    /// <summary>Exec.</summary>
    public static Method<ExecRequest, ExecResponse> Exec { get; } = new(Service, "Exec", ExecRequest.Parser, ExecResponse.Parser);

    /// <summary>Attach.</summary>
    public static Method<AttachRequest, AttachResponse> Attach { get; } = new(Service, "Attach", AttachRequest.Parser, AttachResponse.Parser);

    /// <summary>PortForward.</summary>
    public static Method<PortForwardRequest, PortForwardResponse> PortForward { get; } = new(Service, "PortForward", PortForwardRequest.Parser, PortForwardResponse.Parser);

    /// <summary>ContainerStats.</summary>
    public static Method<ContainerStatsRequest, ContainerStatsResponse> ContainerStats { get; } = new(Service, "ContainerStats", ContainerStatsRequest.Parser, ContainerStatsResponse.Parser);

    /// <summary>ListContainerStats.</summary>
    public static Method<ListContainerStatsRequest, ListContainerStatsResponse> ListContainerStats { get; } = new(Service, "ListContainerStats", ListContainerStatsRequest.Parser, ListContainerStatsResponse.Parser);

    /// <summary>StreamContainerStats.</summary>
    public static Method<StreamContainerStatsRequest, StreamContainerStatsResponse> StreamContainerStats { get; } = new(Service, "StreamContainerStats", StreamContainerStatsRequest.Parser, StreamContainerStatsResponse.Parser);

    /// <summary>PodSandboxStats.</summary>
    public static Method<PodSandboxStatsRequest, PodSandboxStatsResponse> PodSandboxStats { get; } = new(Service, "PodSandboxStats", PodSandboxStatsRequest.Parser, PodSandboxStatsResponse.Parser);

    /// <summary>ListPodSandboxStats.</summary>
    public static Method<ListPodSandboxStatsRequest, ListPodSandboxStatsResponse> ListPodSandboxStats { get; } = new(Service, "ListPodSandboxStats", ListPodSandboxStatsRequest.Parser, ListPodSandboxStatsResponse.Parser);

    /// <summary>StreamPodSandboxStats.</summary>
    public static Method<StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse> StreamPodSandboxStats { get; } = new(Service, "StreamPodSandboxStats", StreamPodSandboxStatsRequest.Parser, StreamPodSandboxStatsResponse.Parser);

    /// <summary>UpdateRuntimeConfig.</summary>
    public static Method<UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse> UpdateRuntimeConfig { get; } = new(Service, "UpdateRuntimeConfig", UpdateRuntimeConfigRequest.Parser, UpdateRuntimeConfigResponse.Parser);

    /// <summary>Status.</summary>
    public static Method<StatusRequest, StatusResponse> Status { get; } = new(Service, "Status", StatusRequest.Parser, StatusResponse.Parser);

    /// <summary>CheckpointContainer.</summary>
    public static Method<CheckpointContainerRequest, CheckpointContainerResponse> CheckpointContainer { get; } = new(Service, "CheckpointContainer", CheckpointContainerRequest.Parser, CheckpointContainerResponse.Parser);

    /// <summary>GetContainerEvents.</summary>
    public static Method<GetEventsRequest, ContainerEventResponse> GetContainerEvents { get; } = new(Service, "GetContainerEvents", GetEventsRequest.Parser, ContainerEventResponse.Parser);

    /// <summary>ListMetricDescriptors.</summary>
    public static Method<ListMetricDescriptorsRequest, ListMetricDescriptorsResponse> ListMetricDescriptors { get; } = new(Service, "ListMetricDescriptors", ListMetricDescriptorsRequest.Parser, ListMetricDescriptorsResponse.Parser);

    /// <summary>ListPodSandboxMetrics.</summary>
    public static Method<ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse> ListPodSandboxMetrics { get; } = new(Service, "ListPodSandboxMetrics", ListPodSandboxMetricsRequest.Parser, ListPodSandboxMetricsResponse.Parser);

    /// <summary>StreamPodSandboxMetrics.</summary>
    public static Method<StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse> StreamPodSandboxMetrics { get; } = new(Service, "StreamPodSandboxMetrics", StreamPodSandboxMetricsRequest.Parser, StreamPodSandboxMetricsResponse.Parser);

    /// <summary>RuntimeConfig.</summary>
    public static Method<RuntimeConfigRequest, RuntimeConfigResponse> RuntimeConfig { get; } = new(Service, "RuntimeConfig", RuntimeConfigRequest.Parser, RuntimeConfigResponse.Parser);

    /// <summary>UpdatePodSandboxResources.</summary>
    public static Method<UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse> UpdatePodSandboxResources { get; } = new(Service, "UpdatePodSandboxResources", UpdatePodSandboxResourcesRequest.Parser, UpdatePodSandboxResourcesResponse.Parser);
}
