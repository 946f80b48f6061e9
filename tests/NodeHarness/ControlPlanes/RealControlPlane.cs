using System.Net;
using NodeAgent.Harness.Host;

namespace NodeAgent.Harness.ControlPlanes;

/// <summary>etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of ours.</summary>
public sealed class RealControlPlane(HarnessOptions options, IPAddress address) : IControlPlane
{
    private readonly int _etcd = Ports.Free(), _peer = Ports.Free(), _api = Ports.Free(), _manager = Ports.Free(), _scheduler = Ports.Free();
    private Authority? _authority;

    /// <inheritdoc/>
    public string Description => $"real kube-apiserver, controller-manager and scheduler ({Path.GetDirectoryName(Requirements.Kubernetes("kube-apiserver"))}), etcd";

    /// <inheritdoc/>
    public string AdminKubeconfig => Pki("admin.conf");

    /// <inheritdoc/>
    public string NodeKubeconfig => Pki("node.conf");

    /// <inheritdoc/>
    public string ProxyKubeconfig => Pki("proxy.conf");

    /// <inheritdoc/>
    public string ClientAuthority => Pki("ca.crt");

    /// <inheritdoc/>
    public bool IsApiServerUp => ChildProcess.Find(options.Folder, "kube-apiserver") is not null;

    private string Server => $"https://{address}:{_api}";

    /// <inheritdoc/>
    public async Task StartAsync()
    {
        _authority = Authority.Create(Path.Combine(options.Folder, "pki"));
        _authority.Issue("apiserver", "kube-apiserver", null,
        [
            "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "127.0.0.1",
            $"10.{options.ServiceNetwork}.0.1", address.ToString(),
        ]);
        Identity("admin", "admin", "system:masters");
        Identity("kubelet-client", "kube-apiserver-kubelet-client", "system:masters");
        Identity("kcm", "system:kube-controller-manager");
        Identity("sched", "system:kube-scheduler");
        Identity("proxy", "system:kube-proxy");
        Identity("node", $"system:node:{options.NodeName}", "system:nodes");
        Start("etcd", Tool.Find("etcd")!,
            "--data-dir", Path.Combine(options.Folder, "etcd"), "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", $"http://127.0.0.1:{_etcd}", "--advertise-client-urls", $"http://127.0.0.1:{_etcd}",
            "--listen-peer-urls", $"http://127.0.0.1:{_peer}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{_peer}",
            "--initial-cluster", $"default=http://127.0.0.1:{_peer}");
        await StartApiServerAsync();
        StartControllers();
    }

    /// <inheritdoc/>
    public async Task StopAsync()
    {
        foreach (string name in new[] { "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd" })
        {
            if (ChildProcess.Find(options.Folder, name) is { } child)
                await child.StopAsync(TimeSpan.FromSeconds(10));
        }
    }

    /// <inheritdoc/>
    public Task KillApiServerAsync() => ChildProcess.Find(options.Folder, "kube-apiserver")?.KillAsync() ?? Task.CompletedTask;

    /// <inheritdoc/>
    public async Task KillAsync()
    {
        foreach (string name in new[] { "kube-scheduler", "kube-controller-manager", "kube-apiserver" })
        {
            if (ChildProcess.Find(options.Folder, name) is { } child)
                await child.KillAsync();
        }
    }

    /// <inheritdoc/>
    public async Task ControllersAreBackAsync()
    {
        // The server is this harness's own, on this machine.
        using HttpClient client = new(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } });
        await Until.NothingMissesAsync("the controller-manager is healthy", TimeSpan.FromSeconds(60), async () =>
        {
            using HttpResponseMessage answer = await client.GetAsync($"https://127.0.0.1:{_manager}/healthz");
            return answer.IsSuccessStatusCode ? null : $"{answer.StatusCode}";
        });
    }

    /// <inheritdoc/>
    public async Task StartApiServerAsync()
    {
        ChildProcess server = Start("kube-apiserver", Requirements.Kubernetes("kube-apiserver")!,
            $"--etcd-servers=http://127.0.0.1:{_etcd}", $"--secure-port={_api}", "--bind-address=0.0.0.0", $"--advertise-address={address}",
            $"--client-ca-file={Pki("ca.crt")}", $"--tls-cert-file={Pki("apiserver.crt")}", $"--tls-private-key-file={Pki("apiserver.key")}",
            $"--service-account-key-file={Pki("sa.pub")}", $"--service-account-signing-key-file={Pki("sa.key")}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local", $"--service-cluster-ip-range={options.ServiceRange}",
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            $"--kubelet-client-certificate={Pki("kubelet-client.crt")}", $"--kubelet-client-key={Pki("kubelet-client.key")}",
            "--kubelet-preferred-address-types=InternalIP", "--enable-bootstrap-token-auth=true");
        await ReadyAnswer.WaitAsync(server, AdminKubeconfig, TimeSpan.FromSeconds(120));
        // Controllers give up when the API server is away for long; the next one finds them again.
        if (_authority is not null && Directory.Exists(Path.Combine(options.Folder, "etcd")) && File.Exists(Path.Combine(options.Folder, "started")))
            StartControllers();
    }

    private void StartControllers()
    {
        File.WriteAllText(Path.Combine(options.Folder, "started"), "");
        string common = Pki("kcm.conf");
        if (ChildProcess.Find(options.Folder, "kube-controller-manager") is null)
        {
            Start("kube-controller-manager", Requirements.Kubernetes("kube-controller-manager")!,
                $"--kubeconfig={common}", $"--authentication-kubeconfig={common}", $"--authorization-kubeconfig={common}", $"--secure-port={_manager}",
                "--bind-address=127.0.0.1", $"--root-ca-file={Pki("ca.crt")}", $"--service-account-private-key-file={Pki("sa.key")}",
                $"--cluster-signing-cert-file={Pki("ca.crt")}", $"--cluster-signing-key-file={Pki("ca.key")}", "--use-service-account-credentials",
                "--allocate-node-cidrs", $"--cluster-cidr={options.PodRange}", $"--service-cluster-ip-range={options.ServiceRange}",
                "--leader-elect=false", "--controllers=*,bootstrapsigner,tokencleaner", "--kube-api-qps=200", "--kube-api-burst=400");
        }
        if (ChildProcess.Find(options.Folder, "kube-scheduler") is null)
        {
            Start("kube-scheduler", Requirements.Kubernetes("kube-scheduler")!,
                $"--kubeconfig={Pki("sched.conf")}", $"--authentication-kubeconfig={Pki("sched.conf")}",
                $"--authorization-kubeconfig={Pki("sched.conf")}", $"--secure-port={_scheduler}", "--bind-address=127.0.0.1", "--leader-elect=false");
        }
    }

    private void Identity(string name, string user, params string[] groups)
    {
        _authority!.Issue(name, user, groups);
        _authority.Kubeconfig(name, Server);
    }

    private string Pki(string file) => Path.Combine(options.Folder, "pki", file);

    private ChildProcess Start(string name, string program, params string[] arguments) =>
        ChildProcess.Start(options.Folder, name, program, arguments);
}
