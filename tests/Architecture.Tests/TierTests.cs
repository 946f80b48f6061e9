namespace NodeAgent.Architecture.Tests;

public sealed class TierTests
{
    private static readonly string[] Values = ["Configuration", "Pods"];
    private static readonly string[] Conduct = ["Sources", "Workers", "Sync", "Server", ""];
    private static readonly string[] ProxyOrder =
        ["Configuration", "Watching", "Tracking", "Nodes", "Topology", "LocalTraffic", "Rulesets", "Kernel", "Conntrack", "Health", "Proxiers", ""];

    // Known debts: a type and the folder above it that it uses. The list may only get shorter.
    private static readonly string[] Debts =
    [
        "Certificates.ManagedServingCertificate → Server", "Certificates.NodeCertificates → Server", "Cleanup.Housekeeper → Sync",
        "Cleanup.Housekeeper → Workers", "Cleanup.HousekeepingParts → Sync", "Cleanup.HousekeepingParts → Workers",
        "Containers.ContainerConfigBuilder → Sync", "Containers.ContainerRequest → Sync", "Containers.RuntimeManager → Sync",
        "Pleg.PodLifecycleEventGenerator → Sync",
        "Status.ContainerStatusBuilder → Sync", "Status.PodStatusInputs → Sync", "Watching.ProxyWatches → Tracking",
        "Health.ProxyMetrics → Proxiers", "Tracking.ProxyState → Health",
    ];

    [Fact]
    public void Values_of_the_kubelet_use_values_only() => Repository.AssertNone(
        from pair in Folders("Kubelet")
        where Values.Contains(pair.From) && !Values.Contains(pair.To)
        select pair.Text);

    [Fact]
    public void Capabilities_of_the_kubelet_never_use_conduct() => Repository.AssertNone(
        from pair in Folders("Kubelet")
        where !Values.Contains(pair.From) && !Conduct.Contains(pair.From) && Conduct.Contains(pair.To) && pair.To.Length > 0
        where !IsDebt("Kubelet", pair)
        select pair.Text);

    [Fact]
    public void A_folder_of_the_proxy_uses_folders_before_it_only() => Repository.AssertNone(
        from pair in Folders("Proxy")
        where Array.IndexOf(ProxyOrder, pair.To) > Array.IndexOf(ProxyOrder, pair.From)
        where !IsDebt("Proxy", pair)
        select pair.Text);

    [Fact]
    public void Every_folder_of_the_proxy_has_its_place_in_the_order() => Repository.AssertNone(
        AssemblyFacts.Of("Proxy").Uses.Select(use => Folder("Proxy", use.From)).OfType<string>().Distinct().Except(ProxyOrder));

    [Fact]
    public void Rulesets_of_the_proxy_touch_neither_kernel_nor_clock_nor_files() => Repository.AssertNone(
        from use in AssemblyFacts.Of("Proxy").Uses
        where Folder("Proxy", use.From) == "Rulesets"
        where use.To.StartsWith("NodeAgent.Linux.", StringComparison.Ordinal) || use.To is "System.TimeProvider" or "System.IO.File" or "System.IO.Directory"
        select $"{use.From} → {use.To}");

    [Fact]
    public void Linux_and_Grpc_know_nothing_of_Kubernetes() => Repository.AssertNone(
        from project in new[] { "Linux", "Grpc" }
        from use in AssemblyFacts.Of(project).Uses
        where use.To.StartsWith("NodeAgent.", StringComparison.Ordinal) && !use.To.StartsWith($"NodeAgent.{project}", StringComparison.Ordinal)
        select $"{use.From} → {use.To}");

    private static bool IsDebt(string project, (string From, string To, string Text) pair) =>
        Debts.Contains($"{pair.Text.Split(' ')[0][$"NodeAgent.{project}.".Length..]} → {pair.To}");

    private static IEnumerable<(string From, string To, string Text)> Folders(string project) => (
        from use in AssemblyFacts.Of(project).Uses
        let source = Folder(project, use.From)
        let target = Folder(project, use.To)
        where source is not null && target is not null && source != target
        orderby source, target
        select (source, target, $"{use.From} → {use.To}")).Distinct();

    private static string? Folder(string project, string type)
    {
        string prefix = $"NodeAgent.{project}";
        int dot = type.LastIndexOf('.');
        string space = dot < 0 ? "" : type[..dot];
        return space == prefix ? "" : space.StartsWith(prefix + ".", StringComparison.Ordinal) ? space[(prefix.Length + 1)..].Split('.')[0] : null;
    }
}
