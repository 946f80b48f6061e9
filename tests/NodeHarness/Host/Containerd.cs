using Microsoft.Extensions.Logging.Abstractions;
using NodeAgent.Cri;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.V1;

namespace NodeAgent.Harness.Host;

/// <summary>A containerd of our own: root, state, socket and CNI configuration below the harness's folder.</summary>
public sealed class Containerd(HarnessOptions options) : IDisposable
{
    private const string Namespace = "k8s.io";
    private CriConnection? _connection;

    /// <summary>The socket.</summary>
    public string Socket => Path.Combine(options.Folder, "containerd.sock");

    /// <summary>The CRI endpoint.</summary>
    public string Endpoint => "unix://" + Socket;

    /// <summary>CRI calls to it.</summary>
    public IRuntimeService Runtime => new RuntimeServiceClient(Connection);

    /// <summary>CRI calls about images.</summary>
    public IImageService ImageService => new ImageServiceClient(Connection);

    private CriConnection Connection => _connection ??=
        new CriConnection(CriEndpoint.Parse(Endpoint), new CriConnectionOptions(), NullLogger<CriConnection>.Instance);

    private string ConfigurationFile => Path.Combine(options.Folder, "containerd.toml");

    private string PluginFolder => Path.Combine(options.Folder, "cni-bin");

    private string Log => Path.Combine(options.Folder, "logs", "containerd.log");

    private string HangMark => Path.Combine(options.Folder, "network-hangs");

    private string NetworkFolder => Path.Combine(options.Folder, "cni");

    /// <summary>The program: the options', $CONTAINERD_BINARY, or the host's.</summary>
    public string Program => options.ContainerdFolder is { } folder ? Path.Combine(folder, "containerd")
        : Environment.GetEnvironmentVariable("CONTAINERD_BINARY") is { Length: > 0 } path ? path : Tool.Find("containerd")!;

    /// <summary>Writes the configuration and starts it.</summary>
    public async Task StartAsync()
    {
        File.WriteAllText(ConfigurationFile, Configuration());
        // As wide as a host's: users of a pod's own namespace must come through to its root.
        Directory.CreateDirectory(Path.Combine(options.Folder, "containerd"),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        WriteNetwork();
        LinkPlugins();
        await RestartAsync();
    }

    /// <summary>Starts it on the configuration written before.</summary>
    public async Task RestartAsync()
    {
        await LaunchAsync();
        await Until.NothingMissesAsync("containerd's CRI is ready", TimeSpan.FromSeconds(60), async () =>
        {
            StatusResponse status = await Runtime.StatusAsync(new StatusRequest(), CancellationToken.None);
            return status.Status.Conditions.FirstOrDefault(condition => condition.Type is "RuntimeReady" or "NetworkReady" && !condition.Status) is { } bad
                ? $"{bad.Type}: {bad.Message}" : null;
        });
    }

    /// <summary>Name and version, as it says itself.</summary>
    public async Task<string> VersionAsync()
    {
        VersionResponse version = await Runtime.VersionAsync(new VersionRequest(), CancellationToken.None);
        return $"{version.RuntimeName} {version.RuntimeVersion}";
    }

    private async Task LaunchAsync()
    {
        // Shims are looked up beside containerd's own program first.
        Dictionary<string, string> environment = new() { ["PATH"] = $"{Path.GetDirectoryName(Program)}:{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin:/usr/bin:/bin" };
        ChildProcess child = ChildProcess.Start(options.Folder, "containerd", Program, ["--config", ConfigurationFile], environment);
        await Until.NothingMissesAsync("containerd answers", TimeSpan.FromSeconds(60), async () =>
        {
            if (!child.IsAlive) return "it ended:\n" + child.LogTail();
            ToolAnswer answer = await Tool.RunAsync("ctr", ["--address", Socket, "--connect-timeout", "2s", "version"], limit: TimeSpan.FromSeconds(10));
            return answer.ExitCode == 0 ? null : answer.Error;
        });
    }

    /// <summary>The running process.</summary>
    public ChildProcess Process => ChildProcess.Find(options.Folder, "containerd") ?? throw new InvalidOperationException("containerd does not run");

    /// <summary>
    /// Whether a call of this sandbox's network plugin was broken off by its caller's death, which leaves what the plugin had begun to remove.
    /// </summary>
    public bool LostPluginCall(string sandbox) => File.ReadLines(Log)
        .Any(line => line.Contains(sandbox, StringComparison.Ordinal) && line.Contains("signal: killed", StringComparison.Ordinal));

    /// <summary>
    /// How many starts of a pod's containers the runtime began and did not bring to their end, because who had asked for them died or it died
    /// itself: it kills what runs by then or loses sight of it, and no client can keep it from that.
    /// </summary>
    public int StartsGivenUp(string podUid)
    {
        string[] lines = Lines();
        string[] containers = Containers(lines, Sandboxes(lines, podUid));
        string[] starts = [.. lines.Where(line => containers.Any(id => line.Contains($"StartContainer for \"{id}\"", StringComparison.Ordinal)))];
        int ended = starts.Count(line => line.Contains("returns successfully", StringComparison.Ordinal)), failed = starts.Count(line => line.Contains(" failed\"", StringComparison.Ordinal));
        return starts.Length - failed - ended - ended;
    }

    /// <summary>The last lines of its log that name one of these pods, their sandboxes or their containers.</summary>
    public string LogTailOf(IReadOnlyCollection<string> podUids, int count = 40)
    {
        if (!File.Exists(Log)) return "";
        string[] lines = Lines(), sandboxes = [.. podUids.SelectMany(uid => Sandboxes(lines, uid))], ids = [.. podUids, .. sandboxes, .. Containers(lines, sandboxes)];
        return string.Join('\n', lines.AsEnumerable().Reverse().Where(line => ids.Any(id => line.Contains(id, StringComparison.Ordinal))).Take(count).Reverse());
    }

    private string[] Lines() => [.. File.ReadLines(Log).Select(line => line.Replace("\\\"", "\"", StringComparison.Ordinal))];

    private static string[] Sandboxes(string[] lines, string podUid) => Ids(lines, "RunPodSandbox for ", $"Uid:{podUid},", "returns sandbox id \"");

    private static string[] Containers(string[] lines, string[] sandboxes) =>
        [.. sandboxes.SelectMany(id => Ids(lines, "CreateContainer within sandbox ", id, "returns container id \""))];

    private static string[] Ids(string[] lines, string call, string of, string before) =>
        [.. lines.Where(line => line.Contains(call, StringComparison.Ordinal) && line.Contains(of, StringComparison.Ordinal) && line.Contains(before, StringComparison.Ordinal))
            .Select(line => line.Split(before)[1].Split('"')[0])];

    /// <summary>Imports image archives.</summary>
    public async Task ImportAsync(IEnumerable<string> archives)
    {
        foreach (string archive in archives)
            await Tool.MustAsync("ctr", "--address", Socket, "-n", Namespace, "images", "import", archive);
    }

    /// <summary>Takes the network configuration away or puts it back.</summary>
    public void Network(bool present)
    {
        if (present) WriteNetwork();
        else File.Delete(Path.Combine(NetworkFolder, "10-net.conflist"));
    }

    /// <summary>Pods whose name begins with "hang" get no network while this lasts: the plugin does not come back.</summary>
    public void HangNetworkOfSomePods()
    {
        string wrapper = Path.Combine(PluginFolder, "portmap");
        File.WriteAllText(HangMark, "");
        // A new file and not the link's target: that one belongs to the host.
        File.Delete(wrapper);
        File.WriteAllText(wrapper, $"""
            #!/bin/sh
            case "$CNI_COMMAND;$CNI_ARGS" in
            *ADD*K8S_POD_NAME=hang*) while [ -e "{HangMark}" ]; do sleep 0.2; done ;;
            esac
            exec "{Requirements.CniPlugins}/portmap" "$@"

            """);
        File.SetUnixFileMode(wrapper, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Lets them go on.</summary>
    public void StopHangingNetwork()
    {
        File.Delete(HangMark);
        string wrapper = Path.Combine(PluginFolder, "portmap");
        File.Delete(wrapper);
        File.CreateSymbolicLink(wrapper, Path.Combine(Requirements.CniPlugins!, "portmap"));
    }

    /// <summary>Stops and removes every sandbox (as the node's end does not), then stops containerd.</summary>
    public async Task RemoveAllAsync()
    {
        if (ChildProcess.Find(options.Folder, "containerd") is null && File.Exists(ConfigurationFile)) await RestartAsync();
        if (ChildProcess.Find(options.Folder, "containerd") is not { } child) return;
        foreach (Container container in (await Runtime.ListContainersAsync(new ListContainersRequest(), CancellationToken.None)).Containers)
            await Runtime.StopContainerAsync(new StopContainerRequest { ContainerId = container.Id, Timeout = 0 }, CancellationToken.None);
        await RemoveSandboxesAsync();
        await child.StopAsync(TimeSpan.FromSeconds(20));
    }

    /// <summary>Stops and removes every sandbox, and its containers with it.</summary>
    public async Task RemoveSandboxesAsync()
    {
        foreach (PodSandbox sandbox in (await Runtime.ListPodSandboxAsync(new ListPodSandboxRequest(), CancellationToken.None)).Items)
        {
            try
            {
                await Runtime.StopPodSandboxAsync(new StopPodSandboxRequest { PodSandboxId = sandbox.Id }, CancellationToken.None);
                await Runtime.RemovePodSandboxAsync(new RemovePodSandboxRequest { PodSandboxId = sandbox.Id }, CancellationToken.None);
            }
            catch (CriException e) when (e.Kind == CriErrorKind.NotFound)
            {
                // What a kubelet was about to remove is gone meanwhile.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _connection?.Dispose();

    // A folder of our own: tests put plugins that misbehave in the place of the host's.
    private void LinkPlugins()
    {
        Directory.CreateDirectory(PluginFolder);
        foreach (string plugin in Directory.EnumerateFiles(Requirements.CniPlugins!))
        {
            string link = Path.Combine(PluginFolder, Path.GetFileName(plugin));
            File.Delete(link);
            File.CreateSymbolicLink(link, plugin);
        }
    }

    private void WriteNetwork()
    {
        Directory.CreateDirectory(NetworkFolder);
        File.WriteAllText(Path.Combine(NetworkFolder, "10-net.conflist"), $$"""
            {"cniVersion": "0.4.0", "name": "{{options.Prefix}}", "plugins": [
              {"type": "bridge", "bridge": "{{options.Prefix}}", "isGateway": true, "ipMasq": true, "hairpinMode": true,
               "ipam": {"type": "host-local", "dataDir": "{{options.Folder}}/ipam", "ranges": [[{"subnet": "{{options.NodePodRange}}"}]],
                        "routes": [{"dst": "0.0.0.0/0"}]} },
              {"type": "portmap", "capabilities": {"portMappings": true} }]}
            """);
    }

    private string Configuration() => $"""
        version = 2
        root = "{options.Folder}/containerd/root"
        state = "{options.Folder}/containerd/state"
        oom_score = 0
        [grpc]
          address = "{Socket}"
        [plugins."io.containerd.internal.v1.opt"]
          path = "{options.Folder}/containerd/opt"
        [plugins."io.containerd.grpc.v1.cri"]
          sandbox_image = "{Images.TestImages.Pause}"
          restrict_oom_score_adj = {(MayLowerOomScore() ? "false" : "true")}
          netns_mounts_under_state_dir = true
          stream_server_address = "127.0.0.1"
          [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
            runtime_type = "io.containerd.runc.v2"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
              Root = "{options.Folder}/containerd/runc"
          [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "{PluginFolder}"
            conf_dir = "{NetworkFolder}"
        """;

    // CAP_SYS_RESOURCE is bit 24 of the effective set; without it no process may get a lower OOM score than its parent.
    private static bool MayLowerOomScore()
    {
        string set = File.ReadLines("/proc/self/status").First(line => line.StartsWith("CapEff:", StringComparison.Ordinal)).Split('\t')[1];
        return (Convert.ToUInt64(set, 16) & (1UL << 24)) != 0;
    }
}
