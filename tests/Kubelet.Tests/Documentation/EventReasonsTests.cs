using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace NodeAgent.Kubelet.Tests.Documentation;

/// <summary>Upstream's event reasons against our source and the page.</summary>
public sealed partial class EventReasonsTests
{
    /// <summary>Source: pkg/kubelet/events/event.go of v1.36, each reason once.</summary>
    private const string Upstream =
        """
        Created Started Failed Killing Preempting BackOff ExceededGracePeriod
        FailedKillPod FailedCreatePodContainer NetworkNotReady ResizeDeferred ResizeInfeasible ResizeCompleted ResizeStarted ResizeError FailedNodeDeclaredFeaturesCheck
        Pulling Pulled InspectFailed ErrImageNeverPull
        NodeReady NodeNotReady NodeSchedulable NodeNotSchedulable Starting KubeletSetupFailed FailedAttachVolume FailedMount VolumeResizeFailed VolumeResizeSuccessful
        FileSystemResizeFailed VolumePermissionChangeInProgress FileSystemResizeSuccessful FailedMapVolume AlreadyMountedVolume SuccessfulAttachVolume SuccessfulMountVolume
        Rebooted Shutdown ContainerGCFailed ImageGCFailed FailedNodeAllocatableEnforcement NodeAllocatableEnforced SandboxChanged FailedCreatePodSandBox
        FailedPodSandBoxStatus FailedMountOnFilesystemMismatch FailedPrepareDynamicResources PossibleMemoryBackedVolumesOnDisk CgroupV1
        InvalidImageID InvalidDiskCapacity FreeDiskSpaceFailed Unhealthy ProbeWarning FailedSync FailedValidation FailedPostStartHook FailedPreStopHook
        """;

    /// <summary>Reasons that are put together: the source has their parts.</summary>
    private static readonly Dictionary<string, string> Composed = new()
    {
        ["ResizeDeferred"] = "\"Resize\" + reason",
        ["ResizeInfeasible"] = "\"Resize\" + reason",
    };

    [Fact]
    public void Each_of_upstreams_reasons_is_written_or_the_page_tells_why_not()
    {
        string root = Path.GetFullPath(Path.Combine(Here(), "../../.."));
        string source = string.Join('\n', ((string[])["src/Kubelet", "src/NodeAgent"]).SelectMany(f => Directory.EnumerateFiles(Path.Combine(root, f), "*.cs", SearchOption.AllDirectories))
            .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal)).Select(File.ReadAllText));
        string page = File.ReadAllText(Path.Combine(root, "docs/compatibility.md"));
        int begin = page.IndexOf("## Events that are not written", StringComparison.Ordinal), end = page.IndexOf("<!-- begin", begin, StringComparison.Ordinal);
        HashSet<string> told = [.. Row().Matches(page[begin..end]).SelectMany(row => Name().Matches(row.Groups[1].Value)).Select(n => n.Groups[1].Value)];
        string[] reasons = Upstream.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        string[] missing = [.. reasons.Where(r => !source.Contains(Composed.GetValueOrDefault(r, $"\"{r}\""), StringComparison.Ordinal))];
        Assert.Equal(59, reasons.Distinct().Count());
        Assert.Equal(missing.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"^\| (`.*?) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([A-Za-z0-9]+)`")]
    private static partial Regex Name();

    private static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
