using System.Runtime.InteropServices;
using NodeAgent.Harness.Host;
using NodeAgent.Images;

namespace NodeAgent.Guest.Tests;

/// <summary>A test in the guest: skipped, with reason and remedy, where one cannot be booted.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GuestFactAttribute : FactAttribute
{
    public GuestFactAttribute() => Skip = GuestRequirements.Missing;
}

/// <summary>The same with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GuestTheoryAttribute : TheoryAttribute
{
    public GuestTheoryAttribute() => Skip = GuestRequirements.Missing;
}

/// <summary>What the host needs for a guest.</summary>
internal static class GuestRequirements
{
    private static readonly (string Tool, string Package)[] Tools =
    [
        ("qemu-system-x86_64", "qemu-system-x86"), ("mmdebstrap", "mmdebstrap"), ("mke2fs", "e2fsprogs"), ("ssh", "openssh-client"),
        ("ssh-keygen", "openssh-client"), ("openssl", "openssl"), ("ip", "iproute2"), ("gcc", "gcc"), ("etcd", "etcd-server"),
        ("make", "make"), ("dpkg-deb", "dpkg"),
    ];

    private static readonly string[] Programs = ["kubeadm", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

    /// <summary>Why there can be no guest here, with the remedy; null when there can.</summary>
    internal static readonly string? Missing = Find();

    private static string? Find()
    {
        if (Environment.UserName != "root") return "needs root: a network namespace and a disk image with root's files (run it with sudo)";
        if (RuntimeInformation.OSArchitecture != Architecture.X64) return "the guest's kernel and programs are for x86-64";
        string[] programs = [.. Programs.Where(program => !File.Exists(Path.Combine(Folder, program)))];
        if (programs.Length > 0) return $"{string.Join(", ", programs)} not found in $KUBERNETES_BIN: unpack Kubernetes' server and client release there";
        string[] packages =
        [
            .. Tools.Where(tool => Tool.Find(tool.Tool) is null).Select(tool => tool.Package).Distinct(),
            .. File.Exists(TestImages.BusyboxProgram) ? Array.Empty<string>() : ["busybox-static"],
        ];
        if (packages.Length > 0) return $"not everything is installed: apt-get install {string.Join(' ', packages)}";
        return File.Exists("/dev/net/tun") ? null : "/dev/net/tun is absent: modprobe tun";
    }

    /// <summary>$KUBERNETES_BIN.</summary>
    internal static string Folder => Environment.GetEnvironmentVariable("KUBERNETES_BIN") is { Length: > 0 } folder ? folder : "/nonexistent";
}
