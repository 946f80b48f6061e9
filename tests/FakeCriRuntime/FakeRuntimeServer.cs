using Google.Protobuf;
using NodeAgent.Cri.Containerd.Tasks.V1;
using NodeAgent.Cri.Events;
using NodeAgent.Cri.Tasks;
using NodeAgent.Cri.V1;
using NodeAgent.Grpc;
using NodeAgent.Grpc.Server;
using Im = NodeAgent.Cri.ImageServiceMethods;
using Rt = NodeAgent.Cri.RuntimeServiceMethods;

namespace NodeAgent.FakeCriRuntime;

/// <summary>Joins the fake's model to the wire: records each call, applies what Behaviour says, then does the work.</summary>
internal sealed class FakeRuntimeServer(FakeRuntime runtime)
{
    private GrpcServer? _server;

    public void Start()
    {
        var server = new GrpcServer(new GrpcServerOptions { Time = runtime.Options.Time });
        AddSandboxes(server);
        AddContainers(server);
        AddImages(server);
        AddRuntime(server);
        AddEvents(server);
        AddTasks(server);
        if (runtime.Options.ListStreaming) AddListStreaming(server);
        server.Start(runtime.SocketPath);
        _server = server;
    }

    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _server, null) is { } server) await server.DisposeAsync();
    }

    private void AddSandboxes(GrpcServer server)
    {
        On(server, Rt.RunPodSandbox, r => new RunPodSandboxResponse { PodSandboxId = runtime.RunSandbox(r) });
        On(server, Rt.StopPodSandbox, r =>
        {
            runtime.StopSandbox(r.PodSandboxId);
            return new StopPodSandboxResponse();
        });
        On(server, Rt.RemovePodSandbox, r =>
        {
            runtime.RemoveSandbox(r.PodSandboxId);
            return new RemovePodSandboxResponse();
        });
        On(server, Rt.PodSandboxStatus, r => runtime.Locked(m => new PodSandboxStatusResponse { Status = m.Sandbox(r.PodSandboxId).Status.Clone() }));
        On(server, Rt.ListPodSandbox, r => runtime.Locked(m => new ListPodSandboxResponse { Items = { m.List(r.Filter) } }));
        On(server, Rt.UpdatePodSandboxResources, r => runtime.Locked(m =>
        {
            m.Sandbox(r.PodSandboxId);
            return new UpdatePodSandboxResourcesResponse();
        }));
        On(server, Rt.PodSandboxStats, r => runtime.Locked(m => new PodSandboxStatsResponse { Stats = FakeStats.Of(m, m.Sandbox(r.PodSandboxId)) }));
        On(server, Rt.ListPodSandboxStats, r => runtime.Locked(m => new ListPodSandboxStatsResponse
        {
            Stats = { m.Sandboxes.Values.Where(s => r.Filter is null || r.Filter.Id.Length == 0 || r.Filter.Id == s.Status.Id).Select(s => FakeStats.Of(m, s)) },
        }));
        On(server, Rt.PortForward, r => new PortForwardResponse { Url = $"http://127.0.0.1:1/portforward/{r.PodSandboxId}" });
    }

    private void AddContainers(GrpcServer server)
    {
        On(server, Rt.CreateContainer, r => new CreateContainerResponse { ContainerId = runtime.CreateContainer(r) });
        On(server, Rt.StartContainer, r =>
        {
            runtime.StartContainer(r.ContainerId);
            return new StartContainerResponse();
        });
        OnAsync(server, Rt.StopContainer, async (r, token) =>
        {
            await runtime.StopContainerAsync(r, token);
            return new StopContainerResponse();
        });
        On(server, Rt.RemoveContainer, r =>
        {
            runtime.RemoveContainer(r.ContainerId);
            return new RemoveContainerResponse();
        });
        On(server, Rt.ListContainers, r => runtime.Locked(m => new ListContainersResponse { Containers = { m.List(r.Filter) } }));
        On(server, Rt.ContainerStatus, r => runtime.Locked(m => new ContainerStatusResponse { Status = m.Container(r.ContainerId).Status.Clone() }));
        On(server, Rt.UpdateContainerResources, r => runtime.Locked(m =>
        {
            LinuxContainerResources held = m.Container(r.ContainerId).Status.Resources.Linux, sent = r.Linux?.Clone() ?? new LinuxContainerResources();
            // Merging adds to maps and lists; an update replaces what they hold.
            foreach (string key in sent.Unified.Keys) held.Unified.Remove(key);
            if (sent.HugepageLimits.Count > 0) held.HugepageLimits.Clear();
            held.MergeFrom(sent);
            return new UpdateContainerResourcesResponse();
        }));
        On(server, Rt.ReopenContainerLog, r =>
        {
            runtime.ReopenLog(r.ContainerId);
            return new ReopenContainerLogResponse();
        });
        On(server, Rt.ExecSync, r => Running(r.ContainerId, () => runtime.OnExec(r)));
        On(server, Rt.Exec, r => Running(r.ContainerId, () => new ExecResponse { Url = $"http://127.0.0.1:1/exec/{r.ContainerId}" }));
        On(server, Rt.Attach, r => Running(r.ContainerId, () => new AttachResponse { Url = $"http://127.0.0.1:1/attach/{r.ContainerId}" }));
        On(server, Rt.CheckpointContainer, r => Running(r.ContainerId, () => new CheckpointContainerResponse()));
        On(server, Rt.ContainerStats, r => runtime.Locked(m => new ContainerStatsResponse { Stats = FakeStats.Of(m, m.Container(r.ContainerId)) }));
        On(server, Rt.ListContainerStats, r => runtime.Locked(m => new ListContainerStatsResponse
        {
            Stats = { m.Containers.Values.Where(c => FakeStats.Matches(r.Filter, c)).Select(c => FakeStats.Of(m, c)) },
        }));
    }

    private void AddImages(GrpcServer server)
    {
        On(server, Im.ListImages, r => runtime.Locked(m => new ListImagesResponse
        {
            Images = { m.Images.Values.Where(i => r.Filter?.Image is not { Image.Length: > 0 } wanted || m.FindImage(wanted.Image) == i).Select(i => i.Clone()) },
        }));
        On(server, Im.ImageStatus, r => runtime.Locked(m => new ImageStatusResponse { Image = m.FindImage(r.Image?.Image ?? "")?.Clone() }));
        On(server, Im.PullImage, r => runtime.Locked(m => new PullImageResponse { ImageRef = m.AddImage(r.Image.Image, 1 << 20).Id }));
        On(server, Im.RemoveImage, r => runtime.Locked(m =>
        {
            if (m.FindImage(r.Image.Image) is { } image) m.Images.Remove(image.Id);
            return new RemoveImageResponse();
        }));
        On(server, Im.ImageFsInfo, _ => runtime.Locked(m => new ImageFsInfoResponse { ImageFilesystems = { FakeStats.ImageFilesystem(m) } }));
    }

    private void AddRuntime(GrpcServer server)
    {
        On(server, Rt.Version, _ => new VersionResponse { Version = "0.1.0", RuntimeName = "fake", RuntimeVersion = "1.0.0", RuntimeApiVersion = "v1" });
        On(server, Rt.Status, r => new StatusResponse
        {
            Info = { r.Verbose ? runtime.StatusInfo.ToDictionary() : [] },
            Status = new RuntimeStatus
            {
                Conditions =
                {
                    new RuntimeCondition { Type = "RuntimeReady", Status = runtime.RuntimeReady, Reason = runtime.RuntimeReady ? "" : "RuntimeDown", Message = runtime.RuntimeReady ? "" : "scripted" },
                    new RuntimeCondition { Type = "NetworkReady", Status = runtime.NetworkReady, Reason = runtime.NetworkReady ? "" : "NetworkPluginNotReady", Message = runtime.NetworkReady ? "" : "cni plugin not initialized" },
                },
            },
            RuntimeHandlers = { runtime.Options.Handlers.Select(h => new RuntimeHandler { Name = h, Features = new RuntimeHandlerFeatures { RecursiveReadOnlyMounts = true, UserNamespaces = true } }) },
            Features = new RuntimeFeatures { SupplementalGroupsPolicy = true },
        });
        On(server, Rt.UpdateRuntimeConfig, _ => new UpdateRuntimeConfigResponse());
        if (runtime.Options.CgroupDriver is { } driver)
            On(server, Rt.RuntimeConfig, _ => new RuntimeConfigResponse { Linux = new LinuxRuntimeConfiguration { CgroupDriver = driver } });
        On(server, Rt.ListMetricDescriptors, _ => new ListMetricDescriptorsResponse());
        On(server, Rt.ListPodSandboxMetrics, _ => new ListPodSandboxMetricsResponse());
    }

    private void AddEvents(GrpcServer server)
    {
        if (runtime.Options.Events == FakeEvents.Cri)
            Streaming(server, Rt.GetContainerEvents, (_, writer, token) => runtime.CriEvents.FollowAsync(writer.WriteAsync, token));
        if (runtime.Options.Events == FakeEvents.Containerd)
            Streaming(server, ContainerEventSource.Subscribe, (_, writer, token) => runtime.ContainerdEvents.FollowAsync(writer.WriteAsync, token));
    }

    private void AddTasks(GrpcServer server)
    {
        On(server, LostTasks.Kill, _ => new TaskAnswer());
        On(server, LostTasks.Wait, _ => new TaskAnswer());
        On(server, LostTasks.Delete, r => runtime.DeleteTask(r.ContainerId) ? new TaskAnswer() : throw RuntimeModel.Error(StatusCode.NotFound, $"no running task found: task {r.ContainerId} not found"));
    }

    private void AddListStreaming(GrpcServer server)
    {
        Streaming(server, Rt.StreamPodSandboxes, async (r, writer, _) =>
        {
            foreach (PodSandbox item in runtime.Locked(m => m.List(r.Filter).ToArray())) await writer.WriteAsync(new StreamPodSandboxesResponse { PodSandboxes = { item } });
        });
        Streaming(server, Rt.StreamContainers, async (r, writer, _) =>
        {
            foreach (Container item in runtime.Locked(m => m.List(r.Filter).ToArray())) await writer.WriteAsync(new StreamContainersResponse { Containers = { item } });
        });
        Streaming(server, Im.StreamImages, async (_, writer, _) =>
        {
            foreach (Image item in runtime.Images) await writer.WriteAsync(new StreamImagesResponse { Images = { item } });
        });
    }

    private T Running<T>(string id, Func<T> work)
    {
        ContainerState state = runtime.Locked(m => m.Container(id).Status.State);
        return state == ContainerState.ContainerRunning ? work() : throw RuntimeModel.Error(StatusCode.FailedPrecondition, $"container {id} is in {state} state");
    }

    private void On<TRequest, TResponse>(GrpcServer server, Method<TRequest, TResponse> method, Func<TRequest, TResponse> work)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        OnAsync(server, method, (request, _) => Task.FromResult(work(request)));

    private void OnAsync<TRequest, TResponse>(GrpcServer server, Method<TRequest, TResponse> method, Func<TRequest, CancellationToken, Task<TResponse>> work)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        server.AddUnary(method, (request, context) => RecordedAsync(method.Name, request, () => ReactAsync(method.Name, request, work, context.CancellationToken)));

    private void Streaming<TRequest, TResponse>(
        GrpcServer server, Method<TRequest, TResponse> method, Func<TRequest, IServerStreamWriter<TResponse>, CancellationToken, Task> work)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        server.AddServerStreaming(method, (request, writer, context) => RecordedAsync(method.Name, request, () => ReactAsync<TRequest, bool>(
            method.Name, request,
            async (r, token) =>
            {
                await work(r, writer, token);
                return true;
            },
            context.CancellationToken)));

    private async Task<TResponse> RecordedAsync<TResponse>(string method, IMessage request, Func<Task<TResponse>> work)
    {
        RecordedCall call = runtime.Record(method, request);
        StatusCode result = StatusCode.Unknown;
        try
        {
            TResponse response = await work();
            result = StatusCode.OK;
            return response;
        }
        catch (RpcException e)
        {
            result = e.StatusCode;
            throw;
        }
        catch (OperationCanceledException)
        {
            result = StatusCode.Cancelled;
            throw;
        }
        finally
        {
            call.Result = result;
            call.Ended = runtime.Options.Time.GetUtcNow();
        }
    }

    private async Task<TResponse> ReactAsync<TRequest, TResponse>(
        string method, TRequest request, Func<TRequest, CancellationToken, Task<TResponse>> work, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>
    {
        if (runtime.Behaviour.Take(method, request) is not { } reaction) return await work(request, cancellationToken);
        if (reaction.Delay > TimeSpan.Zero) await Task.Delay(reaction.Delay, runtime.Options.Time, cancellationToken);
        TResponse? response = reaction.DoTheWork ? await work(request, cancellationToken) : default;
        if (reaction.Hang) await Task.Delay(Timeout.InfiniteTimeSpan, runtime.Options.Time, cancellationToken);
        if (reaction.Error is { } error) throw new RpcException(error);
        return response ?? await work(request, cancellationToken);
    }
}
