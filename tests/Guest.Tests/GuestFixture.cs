using System.Security.Cryptography;
using NodeAgent.Harness;
using NodeAgent.Harness.Host;
using NodeAgent.Images;

namespace NodeAgent.Guest.Tests;

/// <summary>
/// One booted guest and its control plane for all tests, in a network namespace of their own. A root image is kept below
/// $NODE_AGENT_GUEST_CACHE (else ~/.cache/node-agent-guest), by a hash of what makes it; $NODE_AGENT_GUEST_PACKAGE spares making the
/// package. After a failure the folder stays, with the console's log, the journal and the control plane's logs.
/// </summary>
public sealed class GuestFixture : IAsyncLifetime
{
    private readonly string _space = $"guest-{Environment.ProcessId}";
    private readonly string _folder = $"/var/tmp/node-agent-guest-{Environment.ProcessId}";
    private bool _up;

    /// <summary>Set by a test that failed: what the guest knows is kept.</summary>
    public bool Failed { get; set; }

    private static string Scripts => Path.Combine(Requirements.RepositoryRoot, "tests/Guest");

    /// <summary>The guest, joined to the cluster and Ready.</summary>
    public Task<JoinedGuest> JoinedAsync => _joined.Value;

    private readonly Lazy<Task<JoinedGuest>> _joined;

    public GuestFixture() => _joined = new Lazy<Task<JoinedGuest>>(() => JoinedGuest.JoinAsync(new GuestShell(_space, _folder, Scripts)));

    public async Task InitializeAsync()
    {
        if (GuestRequirements.Missing is not null) return;
        Directory.CreateDirectory(_folder);
        try
        {
            Task<string> cache = RootAsync(), package = PackageAsync();
            IReadOnlyList<string> images = await TestImages.WriteAsync(Path.Combine(_folder, "images"));
            await StepAsync("make the guest's disk", async () =>
                await ScriptAsync("disk.sh", [await cache, _folder, await package, .. images.Where(i => Path.GetFileName(i) is "pause.tar" or "busybox.tar")]));
            _up = true;
            await ScriptAsync("guest.sh", ["up", _space]);
            await ScriptAsync("guest.sh", ["boot", _space, await cache, _folder]);
            await StepAsync("start the control plane", () => ControlPlaneAsync("up"));
            await StepAsync("wait for the guest", () => ScriptAsync("guest.sh", ["wait", _space, "", _folder]));
            GuestShell shell = new(_space, _folder, Scripts);
            await StepAsync("import images", () => shell.MustAsync("for image in /opt/images/*.tar; do ctr -n k8s.io images import $image; done"));
        }
        catch
        {
            Failed = true;
            await DisposeAsync();
            throw;
        }
    }

    public async Task DisposeAsync()
    {
        if (_up)
        {
            _up = false;
            if (Failed) await KeepJournalAsync();
            await IgnoringAsync(() => ScriptAsync("guest.sh", ["down", _space, "", _folder]));
            await IgnoringAsync(() => ControlPlaneAsync("down"));
        }

        if (!Directory.Exists(_folder)) return;
        if (Failed)
        {
            File.Delete(Path.Combine(_folder, "disk.img"));
            Say($"kept: {_folder}/console.log, journal.log and logs/");
        }
        else
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static async Task<string> RootAsync()
    {
        string script = Path.Combine(Scripts, "rootfs.sh");
        string root = Environment.GetEnvironmentVariable("NODE_AGENT_GUEST_CACHE") is { Length: > 0 } set ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache/node-agent-guest");
        string cache = Path.Combine(root, Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(script)))[..16]);
        await StepAsync($"Debian root in {cache}", () => ScriptAsync("rootfs.sh", [cache]));
        return cache;
    }

    private static async Task<string> PackageAsync()
    {
        if (Environment.GetEnvironmentVariable("NODE_AGENT_GUEST_PACKAGE") is { Length: > 0 } package) return package;
        await StepAsync("make deb", () => RunAsync("make", ["-C", Requirements.RepositoryRoot, "deb"]));
        return Directory.EnumerateFiles(Path.Combine(Requirements.RepositoryRoot, "out"), "node-agent_*_amd64.deb").MaxBy(File.GetLastWriteTimeUtc)
            ?? throw new FileNotFoundException("make deb left no package in out/");
    }

    private Task ControlPlaneAsync(string action) => RunAsync("ip", ["netns", "exec", _space, "/bin/sh", Path.Combine(Scripts, "control-plane.sh"), action, _folder]);

    private async Task KeepJournalAsync()
    {
        try
        {
            GuestShell shell = new(_space, _folder, Scripts);
            await File.WriteAllTextAsync(Path.Combine(_folder, "journal.log"), (await shell.RunAsync("journalctl --no-pager -b all -o short-precise")).Output);
        }
        catch (Exception e)
        {
            Say($"the guest's journal could not be read: {e.Message}");
        }
    }

    private static async Task IgnoringAsync(Func<Task> step)
    {
        try
        {
            await step();
        }
        catch (Exception e)
        {
            Say($"while taking down: {e.Message}");
        }
    }

    private static Task ScriptAsync(string script, IEnumerable<string> arguments) => RunAsync("/bin/sh", [Path.Combine(Scripts, script), .. arguments]);

    private static async Task RunAsync(string program, IEnumerable<string> arguments)
    {
        string[] list = [.. arguments];
        ToolAnswer answer = await Tool.RunAsync(program, list, limit: TimeSpan.FromMinutes(10));
        if (answer.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', list)} ended with {answer.ExitCode}: {answer.Output.Trim()} {answer.Error.Trim()}");
    }

    private static async Task StepAsync(string what, Func<Task> step)
    {
        long began = TimeProvider.System.GetTimestamp();
        await step();
        Say($"{what}: {TimeProvider.System.GetElapsedTime(began).TotalSeconds:F0} s");
    }

    private static void Say(string text) => Console.WriteLine($"[guest] {text}");
}
