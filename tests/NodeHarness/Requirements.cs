using System.Reflection;
using NodeAgent.Harness.Host;

namespace NodeAgent.Harness;

/// <summary>What of the host the harness needs, and where the programs under test are.</summary>
public static class Requirements
{
    private static readonly (string Tool, string Package)[] Tools =
    [
        ("containerd", "containerd"), ("containerd-shim-runc-v2", "containerd"), ("ctr", "containerd"), ("runc", "runc"),
        ("iptables-save", "iptables"), ("iptables-restore", "iptables"), ("conntrack", "conntrack"), ("ip", "iproute2"),
        ("gcc", "gcc"), ("setsid", "util-linux"), ("mount", "mount"),
    ];

    private static readonly string[] PluginFolders = ["/usr/lib/cni", "/opt/cni/bin"];
    private static readonly string[] ControlPlanePrograms = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"];

    /// <summary>The folder with the CNI plugins bridge, host-local and portmap; null when absent.</summary>
    public static string? CniPlugins => PluginFolders.FirstOrDefault(folder =>
        new[] { "bridge", "host-local", "portmap", "loopback" }.All(plugin => File.Exists(Path.Combine(folder, plugin))));

    /// <summary>The repository this was built from.</summary>
    public static string RepositoryRoot => Metadata("RepositoryRoot").TrimEnd('/');

    /// <summary>The Kubernetes release the agent follows, as v1.36.2.</summary>
    public static string KubernetesVersion => Metadata("KubernetesVersion");

    /// <summary>The node-agent program under test: $NODE_AGENT_BINARY, or what the build made.</summary>
    public static string AgentProgram => Environment.GetEnvironmentVariable("NODE_AGENT_BINARY") is { Length: > 0 } path
        ? path
        : Path.Combine(RepositoryRoot, "src/NodeAgent/bin", Metadata("Configuration"), "net10.0/node-agent");

    /// <summary>The stand-in API server's program.</summary>
    public static string StandInProgram =>
        Path.Combine(RepositoryRoot, "tests/StandInApiServer/bin", Metadata("Configuration"), "net10.0/NodeAgent.StandInApiServer");

    /// <summary>A Kubernetes program from $KUBERNETES_BIN or PATH.</summary>
    public static string? Kubernetes(string program) => Tool.Find(program, Environment.GetEnvironmentVariable("KUBERNETES_BIN"));

    /// <summary>Why the real control plane cannot be had; null when it can.</summary>
    public static string? MissingControlPlane()
    {
        string[] missing = [.. ControlPlanePrograms.Where(program => Kubernetes(program) is null)];
        if (missing.Length > 0) return $"{string.Join(", ", missing)} not found in $KUBERNETES_BIN or PATH";
        return Tool.Find("etcd") is null ? "etcd not found: apt-get install etcd-server" : null;
    }

    /// <summary>Why a node cannot run here, with the remedy; null when it can.</summary>
    public static string? Missing()
    {
        if (Environment.UserName != "root") return "needs root: containerd, mounts, cgroups and iptables (run it with sudo)";
        string[] packages = [.. Tools.Where(tool => Tool.Find(tool.Tool) is null).Select(tool => tool.Package)
            .Concat(CniPlugins is null ? ["containernetworking-plugins"] : [])
            .Concat(File.Exists(Images.TestImages.BusyboxProgram) ? [] : ["busybox-static"]).Distinct()];
        if (packages.Length > 0) return $"not everything is installed: apt-get install {string.Join(' ', packages)}";
        return File.Exists(AgentProgram) ? null : $"{AgentProgram} is absent: make build";
    }

    private static string Metadata(string key) => typeof(Requirements).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == key).Value!;
}
