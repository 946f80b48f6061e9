using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.Events;
using NodeAgent.Cri.V1;

namespace NodeAgent.Cri.Tests;

/// <summary>The client against a real containerd with own folders and socket.</summary>
public sealed class ContainerdTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gcri-containerd");
    private Process? _containerd;

    private string SocketPath => Path.Combine(_folder.FullName, "c.sock");

    public async Task InitializeAsync()
    {
        if (new ContainerdFactAttribute().Skip is not null) return;
        string config = Path.Combine(_folder.FullName, "config.toml");
        await File.WriteAllTextAsync(config, $"""
            version = 2
            root = "{_folder.FullName}/root"
            state = "{_folder.FullName}/state"
            disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
            [grpc]
              address = "{SocketPath}"
            [ttrpc]
              address = "{SocketPath}.ttrpc"
            [plugins."io.containerd.grpc.v1.cri"]
              stream_server_address = "127.0.0.1"
              stream_server_port = "0"
            [plugins."io.containerd.grpc.v1.cri".cni]
              bin_dir = "{_folder.FullName}/cni/bin"
              conf_dir = "{_folder.FullName}/cni/conf"
            [plugins."io.containerd.internal.v1.opt"]
              path = "{_folder.FullName}/opt"
            """);
        _containerd = Process.Start(new ProcessStartInfo(ContainerdFactAttribute.Binary, ["-c", config]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _containerd.ErrorDataReceived += (_, _) => { };
        _containerd.BeginErrorReadLine();
        _containerd.BeginOutputReadLine();
    }

    public async Task DisposeAsync()
    {
        if (_containerd is not null)
        {
            _containerd.Kill();
            await _containerd.WaitForExitAsync();
            _containerd.Dispose();
        }
        _folder.Delete(recursive: true);
    }

    [ContainerdFact]
    public async Task Version_status_lists_and_errors_come_as_containerd_gives_them()
    {
        using CriConnection connection = await ConnectAsync();
        var runtime = new RuntimeServiceClient(connection);
        var images = new ImageServiceClient(connection);
        Assert.Equal("containerd", (await connection.NegotiateAsync(default)).RuntimeName);
        StatusResponse status = await runtime.StatusAsync(new StatusRequest { Verbose = true }, default);
        Assert.Contains(status.Status.Conditions, c => c.Type == "RuntimeReady" && c.Status);
        Assert.Contains(status.Status.Conditions, c => c.Type == "NetworkReady" && !c.Status);
        Assert.Empty((await runtime.ListContainersAsync(new ListContainersRequest(), default)).Containers);
        Assert.Empty((await images.ListImagesAsync(new ListImagesRequest(), default)).Images);
        Assert.Null((await images.ImageStatusAsync(new ImageStatusRequest { Image = new ImageSpec { Image = "localhost/absent:1" } }, default)).Image);
        CriException absent = await Assert.ThrowsAsync<CriException>(() => runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = "absent" }, default));
        Assert.Equal(CriErrorKind.NotFound, absent.Kind);
        await runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = "absent" }, default);
        await runtime.UpdateRuntimeConfigAsync(new UpdateRuntimeConfigRequest { RuntimeConfig = new RuntimeConfig { NetworkConfig = new NetworkConfig { PodCidr = "10.1.0.0/24" } } }, default);
    }

    [ContainerdFact]
    public async Task An_RPC_that_it_does_not_serve_is_unimplemented_every_time()
    {
        using CriConnection connection = await ConnectAsync();
        var runtime = new RuntimeServiceClient(connection);
        for (int i = 0; i < 200; i++)
        {
            CriException e = await Assert.ThrowsAsync<CriException>(() =>
                runtime.UpdatePodSandboxResourcesAsync(new UpdatePodSandboxResourcesRequest { PodSandboxId = new string('x', i * 100) }, default));
            Assert.Contains(e.Kind, (CriErrorKind[])[CriErrorKind.Unimplemented, CriErrorKind.NotFound]);
        }
    }

    [ContainerdFact]
    public async Task Its_event_stream_is_found()
    {
        using CriConnection connection = await ConnectAsync();
        var source = new ContainerEventSource(connection, TimeProvider.System, NullLogger<ContainerEventSource>.Instance);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        var seen = new List<CriEvent>();
        try
        {
            await foreach (CriEvent e in source.WatchAsync(limit.Token)) seen.Add(e);
        }
        catch (OperationCanceledException)
        {
            // The watch would go on for ever: three seconds without an end show that a stream stands.
        }
        Assert.Equal(CriEventKind.Connected, seen[^1].Kind);
        Assert.DoesNotContain(seen, e => e.Kind == CriEventKind.Unsupported);
    }

    private async Task<CriConnection> ConnectAsync()
    {
        var connection = new CriConnection(CriEndpoint.Parse(SocketPath), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                await connection.NegotiateAsync(limit.Token);
                return connection;
            }
            catch (CriException)
            {
                await Task.Delay(100, limit.Token);
            }
        }
    }
}
