using Microsoft.Extensions.Logging;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.V1;
using NodeAgent.FakeCriRuntime;

namespace NodeAgent.Cri.Tests;

/// <summary>A fake runtime, a connection to it, and the lines it logs.</summary>
internal sealed class RuntimeFixture : IAsyncDisposable, ILogger<CriConnection>, IRuntimeOperationObserver
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gcri");

    private RuntimeFixture(TimeSpan limit)
    {
        Connection = new CriConnection(
            CriEndpoint.Parse("unix://" + SocketPath),
            new CriConnectionOptions { Limits = new CriTimeLimits(limit), Observer = this, MaxBackoff = TimeSpan.FromMilliseconds(100) }, this);
        Runtime = new RuntimeServiceClient(Connection);
        Images = new ImageServiceClient(Connection);
    }

    public string Folder => _folder.FullName;

    public string SocketPath => Path.Combine(_folder.FullName, "r.sock");

    public FakeRuntime Fake { get; private set; } = null!;

    public CriConnection Connection { get; }

    public IRuntimeService Runtime { get; }

    public IImageService Images { get; }

    public List<string> Lines { get; } = [];

    public List<(string Operation, CriErrorKind? Error)> Operations { get; } = [];

    public static async Task<RuntimeFixture> StartAsync(FakeRuntimeOptions? options = null, TimeSpan? limit = null)
    {
        var fixture = new RuntimeFixture(limit ?? TimeSpan.FromSeconds(30));
        fixture.Fake = await FakeRuntime.StartAsync(fixture.SocketPath, options);
        fixture.Fake.AddImage("docker.io/library/web:1");
        return fixture;
    }

    public async Task<string> RunSandboxAsync(string name = "web", uint attempt = 0) => (await Runtime.RunPodSandboxAsync(
        new RunPodSandboxRequest
        {
            Config = new PodSandboxConfig
            {
                Metadata = new PodSandboxMetadata { Name = name, Namespace = "default", Uid = name + "-uid", Attempt = attempt },
                LogDirectory = Path.Combine(Folder, "logs", name),
                Labels = { ["app"] = name },
            },
        }, default)).PodSandboxId;

    public async Task<string> CreateContainerAsync(string sandbox, string name = "main", uint attempt = 0) => (await Runtime.CreateContainerAsync(
        new CreateContainerRequest
        {
            PodSandboxId = sandbox,
            Config = new ContainerConfig
            {
                Metadata = new ContainerMetadata { Name = name, Attempt = attempt },
                Image = new ImageSpec { Image = "docker.io/library/web:1" },
                LogPath = $"{name}/{attempt}.log",
            },
        }, default)).ContainerId;

    public async Task<string> StartContainerAsync(string sandbox, string name = "main")
    {
        string id = await CreateContainerAsync(sandbox, name);
        await Runtime.StartContainerAsync(new StartContainerRequest { ContainerId = id }, default);
        return id;
    }

    public async Task<ContainerStatus> StatusAsync(string id) =>
        (await Runtime.ContainerStatusAsync(new ContainerStatusRequest { ContainerId = id }, default)).Status;

    public async ValueTask DisposeAsync()
    {
        Connection.Dispose();
        await Fake.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    void IRuntimeOperationObserver.Ended(string operation, TimeSpan elapsed, CriErrorKind? error)
    {
        lock (Operations) Operations.Add((operation, error));
    }

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (Lines) Lines.Add($"{logLevel}: {formatter(state, exception)}");
    }

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;
}
