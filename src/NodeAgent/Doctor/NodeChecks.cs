using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using NodeAgent.Kubelet.Configuration;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Serialization;
using NodeAgent.Linux.Procfs;

namespace NodeAgent.Doctor;

/// <summary>Configuration, certificates, runtime, network plugins, disk, ports.</summary>
internal static class NodeChecks
{
    internal static IEnumerable<Finding> Configuration(LoadedKubeletConfiguration loaded)
    {
        foreach (ConfigurationProblem problem in loaded.Problems)
        {
            FindingLevel level = problem.IsFatal(loaded.Flags.StrictConfig) ? FindingLevel.Fail : FindingLevel.Warn;
            yield return new Finding(level, "configuration", (problem with { Remedy = "" }).ToString(), problem.Remedy);
        }
        if (loaded.Problems.Count == 0)
            yield return Finding.Ok("configuration", loaded.Flags.ConfigFile.Length > 0 ? loaded.Flags.ConfigFile : "flags only");
    }

    internal static IEnumerable<Finding> Kubeconfig(HostFiles host, KubeletFlags flags, TimeProvider time)
    {
        if (flags.Kubeconfig.Length == 0)
        {
            yield return Finding.Warn("kubeconfig", "none given: standalone mode, the node joins no cluster", "give --kubeconfig");
            yield break;
        }
        if (host.Text(flags.Kubeconfig) is not { } text)
        {
            bool bootstrap = flags.BootstrapKubeconfig.Length > 0 && host.Exists(flags.BootstrapKubeconfig);
            yield return bootstrap
                ? Finding.Ok("kubeconfig", $"{flags.Kubeconfig} will be made from {flags.BootstrapKubeconfig}")
                : Finding.Fail("kubeconfig", $"{flags.Kubeconfig} is absent or cannot be read", "join with kubeadm, or give --bootstrap-kubeconfig");
            yield break;
        }
        foreach (Finding finding in ClientCertificate(host, flags.Kubeconfig, text, time))
            yield return finding;
    }

    internal static async Task<Finding> RuntimeAsync(string endpoint, Func<string, CancellationToken, Task<string>> version, CancellationToken cancellationToken)
    {
        try
        {
            return Finding.Ok("runtime", $"{endpoint} answers: {await version(endpoint, cancellationToken)}");
        }
#pragma warning disable CA1031 // Whatever is wrong with the runtime is the finding.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return Finding.Fail("runtime", e.Message, $"start the container runtime, or point containerRuntimeEndpoint at its socket (now {endpoint})");
        }
    }

    internal static IEnumerable<Finding> NetworkPlugins(HostFiles host)
    {
        string[] configurations = [.. host.FilesIn("etc/cni/net.d").Where(f => Path.GetExtension(f) is ".conf" or ".conflist" or ".json")];
        if (configurations.Length == 0)
        {
            yield return Finding.Fail("cni", "no configuration in /etc/cni/net.d: the node stays NotReady", "install a network add-on");
            yield break;
        }
        yield return Finding.Ok("cni", Path.GetFileName(configurations[0]));
        foreach (string type in PluginTypes(File.ReadAllText(configurations[0])).Where(t => !host.Exists($"opt/cni/bin/{t}") && !host.Exists($"usr/lib/cni/{t}")))
            yield return Finding.Fail("cni", $"{Path.GetFileName(configurations[0])} names the plugin {type}, which is not in /opt/cni/bin", "install the plugin");
    }

    internal static IEnumerable<Finding> Disk(string folder)
    {
        string existing = folder;
        while (!Directory.Exists(existing) && existing.Length > 1)
            existing = Path.GetDirectoryName(existing) ?? "/";
        FileSystemUsage usage = FileSystemUsage.Of(existing);
        double free = usage.Capacity == 0 ? 0 : 100.0 * usage.Available / usage.Capacity;
        string text = string.Create(CultureInfo.InvariantCulture, $"{existing} has {usage.Available >> 20} MiB free ({free:F0} %)");
        if (usage.Available < 100 << 20)
            yield return Finding.Fail("disk", text, "make room");
        else
            yield return free < 10 ? Finding.Warn("disk", $"{text}: pods will be evicted below 10 %", "make room") : Finding.Ok("disk", text);
    }

    internal static IEnumerable<Finding> Ports(HostFiles host, KubeletConfiguration configuration)
    {
        HashSet<int> used = [.. ListeningPorts(host.Text("proc/net/tcp")), .. ListeningPorts(host.Text("proc/net/tcp6"))];
        foreach (int port in new[] { configuration.Port, configuration.HealthzPort, configuration.ReadOnlyPort }.Where(p => p > 0))
        {
            yield return used.Contains(port)
                ? Finding.Warn("port", $"{port} is in use, by a kubelet that runs already or by something else", $"look with: ss -ltnp sport = :{port}")
                : Finding.Ok("port", $"{port} is free");
        }
    }

    internal static IEnumerable<int> ListeningPorts(string? table) =>
        from line in (table ?? "").Split('\n').Skip(1)
        let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        where fields.Length > 3 && fields[3] == "0A"
        select int.Parse(fields[1].AsSpan(fields[1].LastIndexOf(':') + 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    internal static IEnumerable<string> PluginTypes(string configuration)
    {
        JsonNode? root = YamlJson.Parse(configuration);
        IEnumerable<JsonNode?> plugins = root?["plugins"] as JsonArray ?? [root?.DeepClone()];
        return plugins.Select(p => p?["type"] is JsonValue value && value.TryGetValue(out string? type) ? type : "")
            .Where(t => t.Length > 0 && !t.Contains('/', StringComparison.Ordinal));
    }

    private static IEnumerable<Finding> ClientCertificate(HostFiles host, string file, string text, TimeProvider time)
    {
        JsonNode? user;
        string problem = "";
        try
        {
            user = (YamlJson.Parse(text)?["users"] as JsonArray)?.FirstOrDefault()?["user"];
        }
        catch (YamlFormatException e)
        {
            user = null;
            problem = e.Message;
        }
        if (problem.Length > 0)
            return [Finding.Fail("kubeconfig", $"{file}: {problem}", "correct or renew the file")];
        string? path = (string?)user?["client-certificate"];
        string? data = (string?)user?["client-certificate-data"];
        if (path is null && data is null)
            return [Finding.Ok("kubeconfig", $"{file} without client certificate")];
        try
        {
            string pem = data is not null
                ? System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(data))
                : host.Text(Path.GetFullPath(path!, Path.GetDirectoryName(file) ?? "/")) ?? "";
            using X509Certificate2 certificate = X509Certificate2.CreateFromPem(pem);
            return [Validity(certificate, file, time.GetUtcNow())];
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return [Finding.Fail("certificate", $"{file}: the client certificate cannot be read", "renew it: kubeadm token create, then join again")];
        }
    }

    private static Finding Validity(X509Certificate2 certificate, string file, DateTimeOffset now)
    {
        DateTimeOffset from = certificate.NotBefore.ToUniversalTime(), to = certificate.NotAfter.ToUniversalTime();
        if (now < from)
            return Finding.Fail("certificate", $"{file}: valid only from {from:u}", "set the clock");
        if (now >= to)
            return Finding.Fail("certificate", $"{file}: expired on {to:u}", "join again with a new bootstrap token");
        return to - now < TimeSpan.FromDays(1)
            ? Finding.Warn("certificate", $"{file}: expires on {to:u}", "set rotateCertificates: true, or renew it")
            : Finding.Ok("certificate", $"{certificate.Subject}, valid until {to:u}");
    }
}
