using System.Net;
using NodeAgent.Harness.Host;

namespace NodeAgent.Harness.ControlPlanes;

/// <summary>tests/StandInApiServer as a process of ours; its controllers are inside it.</summary>
/// <param name="options">Names and folders.</param>
/// <param name="address">Where it listens.</param>
/// <param name="more">More options of the program.</param>
public sealed class StandInControlPlane(HarnessOptions options, IPAddress address, params string[] more) : IControlPlane
{
    private readonly int _port = Ports.Free();

    /// <inheritdoc/>
    public string Description => "stand-in API server with its own controllers (no real kube-apiserver was found or wanted)";

    /// <inheritdoc/>
    public string AdminKubeconfig => Data("admin.conf");

    /// <inheritdoc/>
    public string NodeKubeconfig => Data($"{options.NodeName}.conf");

    /// <inheritdoc/>
    public string ProxyKubeconfig => Data("kube-proxy.conf");

    /// <inheritdoc/>
    public string ClientAuthority => Data("ca.crt");

    /// <inheritdoc/>
    public bool IsApiServerUp => ChildProcess.Find(options.Folder, "stand-in") is not null;

    /// <inheritdoc/>
    public Task StartAsync() => StartApiServerAsync();

    /// <inheritdoc/>
    public async Task StopAsync()
    {
        if (ChildProcess.Find(options.Folder, "stand-in") is { } child)
            await child.StopAsync(TimeSpan.FromSeconds(10));
    }

    /// <inheritdoc/>
    public Task KillApiServerAsync() => ChildProcess.Find(options.Folder, "stand-in")?.KillAsync() ?? Task.CompletedTask;

    /// <inheritdoc/>
    public Task KillAsync() => KillApiServerAsync();

    /// <inheritdoc/>
    public Task ControllersAreBackAsync() => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task StartApiServerAsync()
    {
        if (options.ServiceRange != StandInServiceRange)
            throw new NotSupportedException($"the stand-in API server allocates from {StandInServiceRange} only, not from {options.ServiceRange}");
        Directory.CreateDirectory(Data(""));
        ChildProcess server = ChildProcess.Start(options.Folder, "stand-in", Requirements.StandInProgram,
        [
            "--data-dir", Data(""), "--bind", address.ToString(), "--port", $"{_port}", "--node", options.NodeName,
            "--certificate-name", $"10.{options.ServiceNetwork}.0.1", .. more,
        ]);
        await ReadyAnswer.WaitAsync(server, AdminKubeconfig, TimeSpan.FromSeconds(60));
    }

    private const string StandInServiceRange = "10.96.0.0/16";

    private string Data(string file) => Path.Combine(options.Folder, "stand-in", file);
}
