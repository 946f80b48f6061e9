namespace NodeAgent.Kubelet.Admission;

/// <summary>Which sysctls a pod may set. Source: pkg/kubelet/sysctl.</summary>
public sealed class SysctlAllowlist
{
    private static readonly (string Name, Version? Since)[] Safe =
    [
        ("kernel.shm_rmid_forced", null),
        ("net.ipv4.ip_local_port_range", null),
        ("net.ipv4.tcp_syncookies", null),
        ("net.ipv4.ping_group_range", null),
        ("net.ipv4.ip_unprivileged_port_start", null),
        ("net.ipv4.ip_local_reserved_ports", new Version(3, 16)),
        ("net.ipv4.tcp_keepalive_time", new Version(4, 5)),
        ("net.ipv4.tcp_fin_timeout", new Version(4, 6)),
        ("net.ipv4.tcp_keepalive_intvl", new Version(4, 5)),
        ("net.ipv4.tcp_keepalive_probes", new Version(4, 5)),
        ("net.ipv4.tcp_rmem", new Version(4, 15)),
        ("net.ipv4.tcp_wmem", new Version(4, 15)),
    ];

    private readonly Dictionary<string, string> _names = [];
    private readonly Dictionary<string, string> _prefixes = [];

    /// <summary>Safe ones of this kernel and those the operator allows.</summary>
    /// <param name="kernelVersion">uname -r.</param>
    /// <param name="allowedUnsafe">allowedUnsafeSysctls: names, or prefixes with "*".</param>
    /// <exception cref="ArgumentException">A pattern names a sysctl that is not known to be namespaced.</exception>
    public SysctlAllowlist(string kernelVersion, IEnumerable<string> allowedUnsafe)
    {
        Version kernel = ParseKernel(kernelVersion);
        foreach (string pattern in Safe.Where(s => s.Since is null || kernel >= s.Since).Select(s => s.Name).Concat(allowedUnsafe))
        {
            string normal = Normalize(pattern);
            int star = normal.IndexOf('*', StringComparison.Ordinal);
            string name = star < 0 ? normal : normal[..star];
            string space = NamespaceOf(name) ?? throw new ArgumentException($"the sysctls \"{name}\" are not known to be namespaced; take it out of allowedUnsafeSysctls", nameof(allowedUnsafe));
            (star < 0 ? _names : _prefixes)[name] = space;
        }
    }

    /// <summary>Why a sysctl is forbidden; null where it is allowed. The text is upstream's.</summary>
    public string? Refusal(string sysctl, bool hostNetwork, bool hostIpc)
    {
        string name = Normalize(sysctl);
        if (!_names.TryGetValue(name, out string? space))
        {
            space = _prefixes.FirstOrDefault(p => name.StartsWith(p.Key, StringComparison.Ordinal)).Value;
        }

        return space switch
        {
            null => $"\"{name}\" not allowlisted",
            "IPC" when hostIpc => $"\"{name}\" not allowed with host IPC enabled",
            "Net" when hostNetwork => $"\"{name}\" not allowed with host Net enabled",
            _ => null,
        };
    }

    // A slash is a separator as good as a dot; where the first separator is a slash, dots are part of a name.
    private static string Normalize(string sysctl)
    {
        int first = sysctl.IndexOfAny(['.', '/']);
        return first < 0 || sysctl[first] == '.' ? sysctl : new string([.. sysctl.Select(c => c switch { '/' => '.', '.' => '/', _ => c })]);
    }

    private static string? NamespaceOf(string name) => name switch
    {
        "kernel.sem" or "kernel.shm" or "kernel.shmall" or "kernel.shmmax" or "kernel.shmmni" or "kernel.shm_rmid_forced"
            or "kernel.msg" or "kernel.msgmax" or "kernel.msgmnb" or "kernel.msgmni" => "IPC",
        _ when name.StartsWith("fs.mqueue.", StringComparison.Ordinal) => "IPC",
        _ when name.StartsWith("net.", StringComparison.Ordinal) => "Net",
        _ => null,
    };

    private static Version ParseKernel(string text)
    {
        string digits = new([.. text.TakeWhile(c => char.IsAsciiDigit(c) || c == '.')]);
        return Version.TryParse(digits.TrimEnd('.'), out Version? version) ? version : new Version(0, 0);
    }
}

/// <summary>Rejects pods with sysctls that are not allowed.</summary>
internal sealed class SysctlAdmission(SysctlAllowlist allowlist) : IPodAdmitHandler
{
    public AdmitResult Admit(AdmissionRequest request)
    {
        foreach (Kubernetes.Objects.Sysctl sysctl in request.Pod.Spec.SecurityContext?.Sysctls ?? [])
        {
            if (allowlist.Refusal(sysctl.Name, request.Pod.Spec.HostNetwork == true, request.Pod.Spec.HostIPC == true) is { } refusal)
            {
                return new AdmitResult.Rejected("SysctlForbidden", "forbidden sysctl: " + refusal);
            }
        }

        return AdmitResult.Admitted.Instance;
    }
}
