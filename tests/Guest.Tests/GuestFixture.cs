using System.Security.Cryptography;
using System.Text;
using NodeAgent.Harness;
using NodeAgent.Images;

namespace NodeAgent.Guest.Tests;

/// <summary>
/// One booted guest and its control plane for all tests, in a network namespace of their own. Debian's root and the disk made of it are kept
/// below $NODE_AGENT_GUEST_CACHE (else ~/.cache/node-agent-guest), by hashes of what makes them; the guest's writes go elsewhere. After a
/// failure the run's folder stays until the next run, with the console's log, the journal and the control plane's logs.
/// </summary>
public sealed class GuestFixture : IAsyncLifetime
{
    private const string FolderPrefix = "/var/tmp/node-agent-guest-", SpacePrefix = "guest-";
    private static readonly string Cache = Environment.GetEnvironmentVariable("NODE_AGENT_GUEST_CACHE") is { Length: > 0 } set ? set
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache/node-agent-guest");

    private readonly string _space = $"{SpacePrefix}{Environment.ProcessId}";
    private readonly string _folder = $"{FolderPrefix}{Environment.ProcessId}";
    private readonly Lazy<Task<JoinedGuest>> _joined;
    private GuestShell? _shell;

    public GuestFixture() => _joined = new Lazy<Task<JoinedGuest>>(async () =>
    {
        JoinedGuest? guest = null;
        await StepAsync("kubeadm join, node Ready, application runs", async () => guest = await JoinedGuest.JoinAsync(_shell!));
        return guest!;
    });

    /// <summary>Set by a test that failed: what the guest knows is kept.</summary>
    public bool Failed { get; set; }

    /// <summary>The guest, joined to the cluster and Ready, with the application running.</summary>
    public Task<JoinedGuest> JoinedAsync => _joined.Value;

    private static string Scripts => Path.Combine(Requirements.RepositoryRoot, "tests/Guest");

    public async Task InitializeAsync()
    {
        if (GuestRequirements.Missing is not null) return;
        try
        {
            await StepAsync("boot the guest and start the control plane", UpAsync);
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
        if (!Directory.Exists(_folder)) return;
        if (Failed) await KeepJournalAsync();
        await GuestAsync("down");
        if (Failed) Say($"kept until the next run: {_folder}/console.log, journal.log and logs/");
        else Directory.Delete(_folder, recursive: true);
    }

    private async Task UpAsync()
    {
        await RemoveAbandonedAsync();
        Directory.CreateDirectory(_folder);
        string root = await CachedAsync("rootfs.sh", "root", []);
        string disk = await CachedAsync("disk.sh", "disk", [root], Path.Combine(root, "rootfs.tar"), Path.Combine(GuestRequirements.Folder, "kubeadm"));
        _shell = new GuestShell(_space, disk, _folder, Scripts);
        await GuestAsync("up");
        await GuestAsync("boot", root, disk, _folder);
        Task controlPlane = StepAsync("control plane", () =>
            GuestPackage.RunAsync("ip", ["netns", "exec", _space, "/bin/sh", Path.Combine(Scripts, "control-plane.sh"), "up", _folder]));
        Task<string> package = GuestPackage.MakeAsync(_folder, StepAsync);
        IReadOnlyList<string> images = await TestImages.WriteAsync(Path.Combine(_folder, "images"));
        await StepAsync("guest answers", () => GuestAsync("wait", disk, _folder));
        await package;
        await StepAsync("package and images", async () => await GuestAsync(
            "install", [disk, _folder, await package, .. images.Where(image => Path.GetFileName(image) is "pause.tar" or "busybox.tar")]));
        await controlPlane;
    }

    /// <summary>What a run that was killed, or one that failed, left.</summary>
    private static async Task RemoveAbandonedAsync()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path.GetDirectoryName(FolderPrefix)!, Path.GetFileName(FolderPrefix) + "*").ToList())
        {
            string process = folder[FolderPrefix.Length..];
            if (Directory.Exists($"/proc/{process}")) continue;
            await GuestPackage.RunAsync("/bin/sh", [Path.Combine(Scripts, "guest.sh"), "down", SpacePrefix + process]);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> CachedAsync(string script, string kind, IEnumerable<string> arguments, params string[] from)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(await File.ReadAllBytesAsync(Path.Combine(Scripts, script)));
        // Size and date stand for the content of what is large.
        foreach (FileInfo file in from.Select(path => new FileInfo(path)))
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}\n"));
        string folder = Path.Combine(Cache, $"{kind}-{Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}");
        await StepAsync($"{kind} in {folder}", () => GuestPackage.RunAsync("/bin/sh", [Path.Combine(Scripts, script), .. arguments, folder]));
        return folder;
    }

    private async Task KeepJournalAsync()
    {
        try
        {
            if (_shell is not null)
                await File.WriteAllTextAsync(Path.Combine(_folder, "journal.log"), (await _shell.RunAsync("journalctl --no-pager -b all -o short-precise")).Output);
        }
        catch (Exception e)
        {
            Say($"the guest's journal could not be read: {e.Message}");
        }
    }

    private Task GuestAsync(string action, params IEnumerable<string> arguments) =>
        GuestPackage.RunAsync("/bin/sh", [Path.Combine(Scripts, "guest.sh"), action, _space, .. arguments]);

    private static async Task StepAsync(string what, Func<Task> step)
    {
        long began = TimeProvider.System.GetTimestamp();
        await step();
        Say($"{what}: {TimeProvider.System.GetElapsedTime(began).TotalSeconds:F0} s");
    }

    private static void Say(string text) => Console.WriteLine($"[guest] {text}");
}
