using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri;
using NodeAgent.Cri.V1;
using NodeAgent.Kubelet.Allocation;
using NodeAgent.Kubelet.Images;
using NodeAgent.Kubelet.Pleg;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Probes;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubelet.Sandboxes;
using NodeAgent.Kubelet.Sync;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Linux.Files;
using NodeAgent.Linux.Syscalls;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;
using ContainerId = NodeAgent.Kubelet.Pods.ContainerId;

namespace NodeAgent.Kubelet.Containers;

/// <summary>Pods in terms of the runtime's sandboxes and containers. Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go.</summary>
public sealed partial class RuntimeManager : IPodRuntime, IDisposable
{
    private const string SandboxName = "";
    private static readonly TimeSpan FirstRestartDelay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LeftoverRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FileLimit = TimeSpan.FromMinutes(2);
    private const UnixFileMode LogFolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    private readonly IRuntimeService _runtime;
    private readonly RuntimeManagerOptions _options;
    private readonly RuntimeManagerNeeds _needs;
    private readonly TimeProvider _time;
    private readonly ILogger<RuntimeManager> _logger;
    private readonly RuntimeObserver _observer;
    private readonly ImageManager _images;
    private readonly ContainerConfigBuilder _configs;
    private readonly LifecycleHooks _hooks;
    private readonly ContainerStopper _stopper;
    private readonly CrashLoopBackOff _backOff;
    private readonly PodResizer? _resizer;
    private readonly AttemptNumbers _attempts = new();
    private readonly ConcurrentDictionary<string, PodUid> _withoutPostStart = new();
    private readonly ConcurrentDictionary<string, PodUid> _stoppedSandboxes = new();

    /// <summary>Makes the manager; nothing is called before it is asked.</summary>
    public RuntimeManager(
        IRuntimeService runtime, IImageService images, RuntimeManagerOptions options, RuntimeManagerNeeds needs, TimeProvider time, ILogger<RuntimeManager> logger)
    {
        (_runtime, _options, _needs, _time, _logger) = (runtime, options, needs, time, logger);
        _observer = new RuntimeObserver(runtime, needs.Work, time);
        _images = new ImageManager(new ImageManagerParts(images, needs.Objects, needs.Events, needs.Credentials, needs.PullRecords), options.Images, time);
        _configs = new ContainerConfigBuilder(options.Config, new EnvironmentBuilder(needs.Objects, needs.Services, needs.EnvironmentFiles), needs.SubPaths, needs.Node, needs.Paths, needs.Work);
        _hooks = new LifecycleHooks(runtime, needs.Events, time);
        _stopper = new ContainerStopper(runtime, _hooks, needs.Events, time);
        _backOff = new CrashLoopBackOff(FirstRestartDelay, options.LongestRestartDelay);
        _resizer = needs.Resize is { } resize ? new PodResizer(runtime, resize, options.Config.Limits, logger) : null;
    }

    /// <inheritdoc/>
    public Task<ImmutableArray<RuntimePodListing>> ListPodsAsync(CancellationToken cancellationToken) => _observer.ListAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<RuntimePodStatus> GetPodStatusAsync(PodRef pod, CancellationToken cancellationToken) => _observer.StatusAsync(pod, cancellationToken);

    /// <inheritdoc/>
    public async Task<PodSyncResult> SyncPodAsync(PodSyncRequest request, CancellationToken cancellationToken)
    {
        Pod pod = request.Pod;
        PodActions actions = PodActionPlanner.Compute(pod, request.Status, Health, _needs.Resize is { } r ? ActuatedResources.Of(r.Actuated.Get(pod.Uid)) : null, request.RestartsAll);
        if (actions.IsEmpty)
        {
            return new PodSyncResult();
        }

        var pass = new SyncPass();
        if (!actions.Reset.IsEmpty)
        {
            await ResetAsync(request, actions, pass, cancellationToken);
            return pass.Result() with { RetryAfter = TimeSpan.Zero };
        }

        await KillAsync(request, actions, pass, cancellationToken);
        if (actions.OnlyKills)
        {
            return pass.Result();
        }

        string? sandbox = actions.SandboxId;
        ImmutableArray<string> ips = pod.IsHostNetwork ? request.HostIPs : request.Status.IPs;
        PodSandboxConfig config;
        try
        {
            uint attempt = Math.Max(actions.Attempt, _attempts.After(pod.Uid, SandboxName));
            pass.Handler = pod.Spec.Volumes.Any(v => v.Image is not null) ? await HandlerNameAsync(pod, cancellationToken) : "";
            UserNamespace users = await UsersAsync(pod, cancellationToken);
            config = await SandboxConfigAsync(pod, actions.CreateSandbox ? attempt : request.Status.Sandboxes[0].Attempt, (request.CgroupParent, users), cancellationToken);
            if (actions.CreateSandbox)
            {
                pass.Changed = true;
                (sandbox, ImmutableArray<string> own) = await CreateSandboxAsync(pod, config, cancellationToken);
                ips = pod.IsHostNetwork ? request.HostIPs : own;
            }
        }
        catch (Exception e) when (e is CriException or FormatException or UserNamespaceException or Kubernetes.Rest.KubernetesException or IOException or UnauthorizedAccessException or LinuxException)
        {
            _needs.Events.Record(pod, null, "Warning", "FailedCreatePodSandBox", $"Failed to create pod sandbox: {e.Message}");
            pass.Error = $"failed to create pod sandbox: {e.Message}";
            return Counted(pod, actions, pass.Result());
        }

        foreach (EphemeralContainer e in actions.StartEphemeral)
        {
            await StartAsync(request, AsContainer(e), e.TargetContainerName, sandbox!, config, ips, pass, cancellationToken);
        }

        foreach (ApiContainer c in actions.StartInit)
        {
            await StartAsync(request, c, null, sandbox!, config, ips, pass, cancellationToken);
        }

        if (actions.Resizes && _resizer is not null)
        {
            pass.Changed = true;
            pass.ResizeError = await _resizer.ActuateAsync(pod, actions, cancellationToken);
        }

        foreach (ApiContainer c in actions.Start)
        {
            await StartAsync(request, c, null, sandbox!, config, ips, pass, cancellationToken);
        }

        return Counted(pod, actions, pass.Result());
    }

    // Logs stay until the pod goes; containers that still run get no time for hooks.
    private async Task ResetAsync(PodSyncRequest request, PodActions actions, SyncPass pass, CancellationToken cancellationToken)
    {
        pass.Changed = true;
        foreach (ResetAction reset in actions.Reset)
        {
            if (reset.Kill)
            {
                await _stopper.StopAsync(request.Pod, reset.Container, "killing", TimeSpan.Zero, null, null, cancellationToken);
            }

            await IgnoringGoneAsync(_runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = reset.Container.Id.Id }, CancellationToken.None));
        }
    }

    private ContainerHealth Health(RuntimeContainerStatus c) => new(
        _needs.Probes.Get(c.Id, ProbeType.Liveness) == ProbeResult.Failure,
        _needs.Probes.Get(c.Id, ProbeType.Startup) == ProbeResult.Failure,
        _needs.Probes.Get(c.Id, ProbeType.Startup) == ProbeResult.Success,
        _withoutPostStart.ContainsKey(c.Id.Id));

    private async Task KillAsync(PodSyncRequest request, PodActions actions, SyncPass pass, CancellationToken cancellationToken)
    {
        if (actions.KillPod)
        {
            if (actions.CreateSandbox && actions.AnnouncesNewSandbox)
            {
                _needs.Events.Record(request.Pod, null, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
            }

            pass.Changed = true;
            await KillPodAsync(request.Pod, request.Status, null, cancellationToken);
            return;
        }

        if (actions.Kill.Length > 0)
        {
            pass.Changed = true;
            string? ip = PodIP(request.Status, request.HostIPs);
            await Task.WhenAll(actions.Kill.Select(k => _stopper.StopAsync(
                request.Pod, k.Container, k.Reason, k.ProbeGrace is { } s ? TimeSpan.FromSeconds(Math.Clamp(s, 0, int.MaxValue)) : null, ip, null, cancellationToken)));
        }
    }

    private async Task<string> HandlerNameAsync(Pod pod, CancellationToken cancellationToken) => pod.Spec.RuntimeClassName is { Length: > 0 } name ? await _needs.RuntimeHandler(name, cancellationToken) : "";

    private async Task<NodeRuntimeHandlerFeatures?> HandlerAsync(Pod pod, CancellationToken cancellationToken) => _needs.HandlerFeatures(await HandlerNameAsync(pod, cancellationToken));

    private async Task<UserNamespace> UsersAsync(Pod pod, CancellationToken cancellationToken)
    {
        if (!UserNamespaces.IsAsked(pod))
        {
            return UserNamespaces.OfNode;
        }

        UserNamespaces namespaces = _needs.UserNamespaces ?? throw new UserNamespaceException("can't set `spec.hostUsers: false`, the node has no ids for user namespaces");
        string handler = await HandlerNameAsync(pod, cancellationToken);
        return await namespaces.OfAsync(pod, handler, _needs.HandlerFeatures(handler), cancellationToken);
    }

    private static string? PodIP(RuntimePodStatus status, ImmutableArray<string> hostIPs) =>
        status.IPs is [var ip, ..] ? ip : status.Sandboxes is [{ HostNetwork: true }, ..] && hostIPs is [var host, ..] ? host : null;

    private async Task<PodSandboxConfig> SandboxConfigAsync(Pod pod, uint attempt, (string CgroupParent, UserNamespace Users) own, CancellationToken cancellationToken)
    {
        DnsOptions dns = _options.Config.Dns;
        string logs = _needs.Paths.PodLogFolder(pod.Ref);
        string hostFile = await FilesAsync(pod.Uid, () =>
        {
            Directory.CreateDirectory(logs, LogFolderMode);
            // A missing file is an error, as upstream has it: the pod waits instead of running without name resolution.
            return dns.ResolvConf.Length > 0 ? File.ReadAllText(dns.ResolvConf) : "";
        }, cancellationToken);
        PodDns built = DnsConfigBuilder.Build(pod, dns, hostFile);
        foreach (string warning in built.Warnings)
        {
            _needs.Events.Record(pod, null, "Warning", "DNSConfigForming", warning);
        }

        if (built.MissingClusterDns)
        {
            _needs.Events.Record(pod, null, "Warning", "MissingClusterDNS",
                $"pod: \"{pod.Metadata.Name}_{pod.Metadata.Namespace}({pod.Metadata.Uid})\". kubelet does not have ClusterDNS IP configured and cannot create Pod using \"{pod.Spec.DnsPolicy}\" policy. Falling back to \"Default\" policy.");
        }

        return PodSandboxConfigBuilder.Build(pod, attempt, built, dns.ClusterDomain, new SandboxSurroundings(logs, own.CgroupParent, _options.Config.Limits, own.Users));
    }

    private async Task<(string Id, ImmutableArray<string> IPs)> CreateSandboxAsync(Pod pod, PodSandboxConfig config, CancellationToken cancellationToken)
    {
        string handler = await HandlerNameAsync(pod, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        string id;
        try
        {
            id = (await _runtime.RunPodSandboxAsync(new RunPodSandboxRequest { Config = config, RuntimeHandler = handler }, CancellationToken.None)).PodSandboxId;
        }
        catch (CriException e) when (AttemptNumbers.OutcomeUnknown(e))
        {
            _attempts.Used(pod.Uid, SandboxName, config.Metadata.Attempt);
            throw;
        }

        PodSandboxStatus status;
        try
        {
            status = (await _runtime.PodSandboxStatusAsync(new PodSandboxStatusRequest { PodSandboxId = id }, cancellationToken)).Status;
        }
        catch (CriException e)
        {
            _needs.Events.Record(pod, null, "Warning", "FailedPodSandBoxStatus", $"Unable to get pod sandbox status: {e.Message}");
            throw;
        }

        _observer.Made(pod.Uid, status);
        IEnumerable<string> ips = status.Network is { } n ? [n.Ip, .. n.AdditionalIps.Select(a => a.Ip)] : [];
        return (id, [.. ips.Where(ip => System.Net.IPAddress.TryParse(ip, out _))]);
    }

    private async Task StartAsync(
        PodSyncRequest request, ApiContainer c, string? target, string sandbox, PodSandboxConfig config, ImmutableArray<string> ips, SyncPass pass, CancellationToken cancellationToken)
    {
        Pod pod = request.Pod;
        string name = c.Name ?? "";
        RuntimeContainerStatus? last = request.Status.Find(name);
        pass.Images ??= await ImageVolumes.PullAsync(_images, pod, pass.Handler, config, request.Turn, cancellationToken);
        RuntimeContainerStatus[] ended = [.. request.Status.Containers.Where(s => s.Name == name && s.State == RuntimeContainerState.Exited)];
        if (target is null && _backOff.Check(pod.Uid, c.Image ?? "", ended, _time.GetUtcNow()) is var (left, delay))
        {
            string where = $"{pod.Metadata.Name}_{pod.Metadata.Namespace}({pod.Metadata.Uid})";
            _needs.Events.Record(pod, name, "Warning", "BackOff", $"Back-off restarting failed container {name} in pod {where}");
            pass.Wait(name, "CrashLoopBackOff", $"back-off {GoSeconds(delay)} restarting failed container={name} pod={where}", left);
            return;
        }

        if (pass.Images.Missing(c.VolumeMounts).ToList() is { Count: > 0 } missing)
        {
            // The container waits as it would for its own image.
            missing.ForEach(m => _needs.Events.Record(pod, name, "Warning", "Failed", $"Error: {m.Reason}"));
            pass.Wait(name, missing[^1].Reason, missing[^1].Message, missing[^1].RetryAfter);
            return;
        }

        switch (await _images.EnsureAsync(pod, name, c.Image ?? "", c.ImagePullPolicy, config, request.Turn, cancellationToken))
        {
            case ImageResult.Failed failed:
                _needs.Events.Record(pod, name, "Warning", "Failed", $"Error: {failed.Reason}");
                pass.Wait(name, failed.Reason, failed.Message, failed.RetryAfter);
                return;
            case ImageResult.Present present:
                await CreateAndStartAsync(request, c, target, sandbox, config, ips, present, last, pass, cancellationToken);
                CountImages(c, pass);
                return;
        }
    }

    private async Task CreateAndStartAsync(
        PodSyncRequest request, ApiContainer c, string? target, string sandbox, PodSandboxConfig config, ImmutableArray<string> ips,
        ImageResult.Present image, RuntimeContainerStatus? last, SyncPass pass, CancellationToken cancellationToken)
    {
        Pod pod = request.Pod;
        string name = c.Name ?? "";
        ContainerConfig built;
        try
        {
            int restarts = await FilesAsync(pod.Uid, () =>
            {
                string logs = Path.Combine(config.LogDirectory, name);
                int attempt = _attempts.OfContainer(pod.Uid, name, last, request.LastPodStatus, logs);
                Directory.CreateDirectory(logs);
                return attempt;
            }, cancellationToken);
            string? targetId = target is null ? null : request.Status.Find(target)?.Id.Id;
            NodeRuntimeHandlerFeatures? handler = c.VolumeMounts.Any(RecursiveReadOnly.IsAsked) ? await HandlerAsync(pod, cancellationToken) : null;
            built = await _configs.BuildAsync(new ContainerRequest(request, c, image.Image, image.ImageRef, restarts, ips, targetId) { Handler = handler, Images = pass.Images, Waited = target is null ? _backOff.WaitedBefore(pod.Uid, name, c.Image ?? "") : null, Users = config.Linux.SecurityContext.NamespaceOptions.UsernsOptions }, cancellationToken);
        }
        catch (Exception e) when (e is ContainerConfigException or Kubernetes.Rest.KubernetesException or IOException or UnauthorizedAccessException)
        {
            Fail(pod, name, "CreateContainerConfigError", e.Message, pass);
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        pass.Changed = true;
        if (!await RemoveNeverStartedAsync(request, name, pass, cancellationToken))
        {
            return;
        }

        string id;
        try
        {
            id = (await _runtime.CreateContainerAsync(new CreateContainerRequest { PodSandboxId = sandbox, Config = built, SandboxConfig = config }, CancellationToken.None)).ContainerId;
        }
        catch (CriException e)
        {
            if (AttemptNumbers.OutcomeUnknown(e))
            {
                _attempts.Used(pod.Uid, name, built.Metadata.Attempt);
            }

            Fail(pod, name, "CreateContainerError", e.Message, pass);
            return;
        }

        _needs.Events.Record(pod, name, "Normal", "Created", "Container created");
        if (target is null)
        {
            _needs.Resize?.Actuated.Set(pod.Uid, name, PodResources.OfContainer(pod.Spec.Resources, c.Resources));
        }

        try
        {
            await _runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, CancellationToken.None);
        }
        catch (CriException e)
        {
            Fail(pod, name, "RunContainerError", e.Message.Replace(id, name, StringComparison.Ordinal), pass);
            return;
        }

        _needs.Events.Record(pod, name, "Normal", "Started", "Container started");
        await LinkLogAsync(pod, name, id, Path.Combine(config.LogDirectory, built.LogPath));
        if (c.Lifecycle?.PostStart is { } postStart)
        {
            await PostStartAsync(request, c, postStart, id, ips, pass, cancellationToken);
        }
    }

    // Only a convenience for log collectors: the container runs without it.
    private async Task LinkLogAsync(Pod pod, string name, string id, string log)
    {
        try
        {
            await FilesAsync(pod.Uid, () => ContainerLogLinks.Create(ContainerLogLinks.FolderOf(_needs.Paths), ContainerLogLinks.NameOf(pod.Ref, name, id), log), CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNoLink(pod.Ref, name, e.Message);
        }
    }

    private Task FilesAsync(PodUid uid, Action call, CancellationToken cancellationToken) => _needs.Work.RunWithinAsync(uid + "/", FileLimit, call, cancellationToken);

    private Task<T> FilesAsync<T>(PodUid uid, Func<T> call, CancellationToken cancellationToken) => _needs.Work.RunWithinAsync(uid + "/", FileLimit, call, cancellationToken);

    private async Task PostStartAsync(
        PodSyncRequest request, ApiContainer c, LifecycleHandler postStart, string id, ImmutableArray<string> ips, SyncPass pass, CancellationToken cancellationToken)
    {
        string name = c.Name ?? "";
        // Until its hook has succeeded and wherever it cannot be stopped afterwards, it must not pass for a container that runs.
        _withoutPostStart[id] = request.Pod.Uid;
        var call = new LifecycleCall(request.Pod, c, postStart, id, ips is [var ip, ..] ? ip : null);
        if (await _hooks.RunAsync(call, cancellationToken) is not { } error)
        {
            _withoutPostStart.TryRemove(id, out _);
            return;
        }

        LogHookFailed(request.Pod.Ref, name, error);
        _needs.Events.Record(request.Pod, name, "Warning", "FailedPostStartHook", "PostStartHook failed");
        pass.Wait(name, "PostStartHookError", $"PostStartHook failed: {error}", null);
        var started = new RuntimeContainerStatus
        {
            Id = new ContainerId(await _observer.RuntimeNameAsync(cancellationToken), id),
            Name = name,
            SandboxId = "",
            RestartCount = 0,
            State = RuntimeContainerState.Running,
        };
        try
        {
            await _stopper.StopAsync(request.Pod, started, "FailedPostStartHook", null, null, null, cancellationToken);
            _withoutPostStart.TryRemove(id, out _);
        }
        catch (CriException e)
        {
            pass.Error = $"container {name}, whose postStart hook failed, could not be stopped: {e.Message}";
        }
    }

    // What became of its start is not known, so it must be out of the way before another of its name is made.
    private async Task<bool> RemoveNeverStartedAsync(PodSyncRequest request, string name, SyncPass pass, CancellationToken cancellationToken)
    {
        foreach (RuntimeContainerStatus c in request.Status.Containers.Where(c => c.Name == name && c.State == RuntimeContainerState.Created))
        {
            try
            {
                await _runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = c.Id.Id }, CancellationToken.None);
            }
            catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
            {
                // Gone already.
            }
            catch (CriException e)
            {
                // containerd can have made the process and forgotten it, which keeps it from removing the container until the process has ended.
                await request.KillContainer(c.Id.Id, cancellationToken);
                Fail(request.Pod, name, "RunContainerError", $"an earlier attempt was created and not started, it could not be removed: {e.Message}", pass, LeftoverRetry);
                return false;
            }
        }

        return true;
    }

    private void Fail(Pod pod, string name, string reason, string message, SyncPass pass, TimeSpan? retryAfter = null)
    {
        _needs.Events.Record(pod, name, "Warning", "Failed", $"Error: {message}");
        LogStartFailed(pod.Ref, name, reason, message);
        pass.Wait(name, reason, message, retryAfter);
    }

    /// <inheritdoc/>
    public async Task KillPodAsync(Pod? pod, RuntimePodStatus status, TimeSpan? gracePeriod, CancellationToken cancellationToken)
    {
        string? ip = PodIP(status, _needs.Node.HostIPs);
        List<Task> all = [];
        Task? before = null;
        foreach (ImmutableArray<RuntimeContainerStatus> wave in TerminationOrder.Compute(pod, status.Containers))
        {
            all.AddRange(wave.Select(c => _stopper.StopAsync(pod, c, "", gracePeriod, ip, before, cancellationToken)).ToArray());
            before = Task.WhenAll(all.ToArray());
        }

        // A container that cannot be stopped keeps neither the others nor the sandboxes from it; the caller hears of it afterwards.
        Task containers = Task.WhenAll(all);
        await containers.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        foreach (RuntimeSandboxStatus sandbox in status.Sandboxes)
        {
            await StopSandboxAsync(sandbox.Id);
            _stoppedSandboxes[sandbox.Id] = status.Pod.Uid;
        }

        await containers;
    }

    private Task StopSandboxAsync(string id) =>
        IgnoringGoneAsync(_runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = id }, CancellationToken.None));

    private static async Task IgnoringGoneAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
        {
            // Gone already; containerd 1.6 says so although the CRI asks for success.
        }
    }

    /// <inheritdoc/>
    public async Task RemovePodAsync(RuntimePodStatus status, CancellationToken cancellationToken)
    {
        if (status.AnythingRunning)
        {
            throw new InvalidOperationException($"pod {status.Pod} still runs");
        }

        foreach (RuntimeContainerStatus c in status.Containers)
        {
            await FilesAsync(status.Pod.Uid, () => ContainerLogLinks.Remove(ContainerLogLinks.FolderOf(_needs.Paths), ContainerLogLinks.NameOf(status.Pod, c.Name, c.Id.Id)), cancellationToken);
            await IgnoringGoneAsync(_runtime.RemoveContainerAsync(new RemoveContainerRequest { ContainerId = c.Id.Id }, CancellationToken.None));
        }

        foreach (RuntimeSandboxStatus s in status.Sandboxes)
        {
            // One that ended by itself may still have its network.
            if (!_stoppedSandboxes.ContainsKey(s.Id))
            {
                await StopSandboxAsync(s.Id);
            }

            await IgnoringGoneAsync(_runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = s.Id }, CancellationToken.None));
            _stoppedSandboxes.TryRemove(s.Id, out _);
        }

        string logs = _needs.Paths.PodLogFolder(status.Pod);
        // The name comes from labels that anyone with the runtime's socket can write.
        if (Segments.IsSafe(Path.GetRelativePath(_needs.Paths.PodLogs, logs)))
        {
            await FilesAsync(status.Pod.Uid, () => RemoveTree(logs), cancellationToken);
        }
    }

    private static void RemoveTree(string folder)
    {
        if (Directory.Exists(folder))
        {
            TreeRemover.Remove(folder);
        }
    }

    /// <inheritdoc/>
    public void Forget(PodUid uid)
    {
        _observer.Forget(uid);
        _images.Forget(uid);
        _backOff.Forget(uid);
        _attempts.Forget(uid);
        _needs.Resize?.Actuated.Remove(uid);
        foreach (ConcurrentDictionary<string, PodUid> ids in (ReadOnlySpan<ConcurrentDictionary<string, PodUid>>)[_withoutPostStart, _stoppedSandboxes])
        {
            foreach ((string id, PodUid _) in ids.Where(c => c.Value == uid))
            {
                ids.TryRemove(id, out _);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _hooks.Dispose();

    private static ApiContainer AsContainer(EphemeralContainer e) => new()
    {
        Name = e.Name,
        Image = e.Image,
        ImagePullPolicy = e.ImagePullPolicy,
        Command = e.Command,
        Args = e.Args,
        Env = e.Env,
        EnvFrom = e.EnvFrom,
        WorkingDir = e.WorkingDir,
        SecurityContext = e.SecurityContext,
        VolumeMounts = e.VolumeMounts,
        Stdin = e.Stdin,
        StdinOnce = e.StdinOnce,
        Tty = e.Tty,
        TerminationMessagePath = e.TerminationMessagePath,
        TerminationMessagePolicy = e.TerminationMessagePolicy,
        Resources = e.Resources,
    };

    private static string GoSeconds(TimeSpan t) => t.TotalSeconds < 60 ? $"{t.TotalSeconds:0}s" : $"{(int)t.TotalMinutes}m{t.Seconds}s";

    [LoggerMessage(2600, LogLevel.Warning, "Pod {Pod}: container {Container} could not be started, {Reason}: {Error}")]
    private partial void LogStartFailed(PodRef pod, string container, string reason, string error);

    [LoggerMessage(2602, LogLevel.Warning, "Pod {Pod}: container {Container} has no link in the folder of container logs: {Error}")]
    private partial void LogNoLink(PodRef pod, string container, string error);

    [LoggerMessage(2601, LogLevel.Warning, "Pod {Pod}: container {Container}: postStart failed: {Error}")]
    private partial void LogHookFailed(PodRef pod, string container, string error);
}
