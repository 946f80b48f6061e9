namespace NodeAgent.Architecture.Tests;

public sealed class BannedCallTests
{
    private static readonly string[] Projects = ["NodeAgent", "Kubelet", "Proxy", "Cri", "Grpc", "Kubernetes", "Linux"];

    // Who may start programs: iptables and what loads kernel modules, exec plugins of a kubeconfig, image credential plugins, journalctl.
    private static readonly string[] ProcessUsers =
        ["NodeAgent.Proxy.Kernel.", "NodeAgent.Proxy.Conntrack.", "NodeAgent.Kubernetes.Kubeconfig.", "NodeAgent.Kubelet.Images.",
            "NodeAgent.Kubelet.Server.SystemLogs.JournalReader"];

    [Fact]
    public void Nothing_reads_the_wall_clock_past_TimeProvider() => AssertNone(use =>
        use is { To: "System.DateTime" or "System.DateTimeOffset", Member: "get_Now" or "get_UtcNow" or "get_Today" });

    [Fact]
    public void No_thread_sleeps() => AssertNone(use => use is { To: "System.Threading.Thread", Member: "Sleep" });

    [Fact]
    public void Only_the_executable_writes_to_the_console() => AssertNone(use =>
        use.To == "System.Console" && !use.From.StartsWith("NodeAgent.Program", StringComparison.Ordinal), except: "NodeAgent");

    [Fact]
    public void Only_named_places_start_programs() => AssertNone(use =>
        use is { To: "System.Diagnostics.Process", Member: "Start" }
        && !ProcessUsers.Any(user => use.From.StartsWith(user, StringComparison.Ordinal)), except: "NodeAgent");

    [Fact]
    public void No_reflection_JSON() => AssertNone(use =>
        use.To == "System.Text.Json.Serialization.Metadata.DefaultJsonTypeInfoResolver");

    private static void AssertNone(Func<Use, bool> banned, string? except = null) => Repository.AssertNone(
        from project in Projects
        where project != except
        from use in AssemblyFacts.Of(project).Uses
        where banned(use)
        select $"{use.From} → {use.To}.{use.Member}");
}
