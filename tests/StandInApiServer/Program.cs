using System.Net;
using System.Runtime.InteropServices;
using NodeAgent.Kubernetes.Kubeconfig;
using NodeAgent.StandIn;

string bind = "127.0.0.1", folder = "";
int port = 6443;
List<string> nodes = [], names = [];
bool bootstrap = false;
long largest = 3 << 20;
for (int i = 0; i < args.Length; i++)
{
    string[] parts = args[i].Split('=', 2);
    if (parts[0] == "--bootstrap")
    {
        bootstrap = true;
        continue;
    }
    string? value = parts.Length == 2 ? parts[1] : i + 1 < args.Length ? args[++i] : null;
    switch (parts[0], value)
    {
        case ("--bind", { } text) when IPAddress.TryParse(text, out _):
            bind = text;
            break;
        case ("--port", { } text) when ushort.TryParse(text, out ushort number):
            port = number;
            break;
        case ("--data-dir", { Length: > 0 } text):
            folder = text;
            break;
        case ("--node", { Length: > 0 } text):
            nodes.Add(text);
            break;
        case ("--largest-request", { } text) when long.TryParse(text, out long bytes):
            largest = bytes;
            break;
        case ("--certificate-name", { Length: > 0 } text):
            names.Add(text);
            break;
        default:
            Console.Error.WriteLine($"unknown or incomplete option {args[i]}; options: --data-dir FOLDER [--bind ADDRESS] [--port N] [--node NAME]... [--certificate-name NAME]... [--largest-request BYTES] [--bootstrap]");
            return 1;
    }
}
if (folder.Length == 0)
{
    Console.Error.WriteLine("--data-dir is required: the folder for state, ca.crt and kubeconfigs");
    return 1;
}

TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
StandInOptions options = new() { Bind = IPAddress.Parse(bind), Port = port, DataFolder = folder, CertificateNames = names, LargestRequest = largest };
await using StandInApiServer server = await StandInApiServer.StartAsync(options);
Write("admin.conf", server.Kubeconfig("kubernetes-admin", "system:masters"));
Write("kube-proxy.conf", server.Kubeconfig("system:kube-proxy"));
foreach (string node in nodes)
    Write($"{node}.conf", server.Kubeconfig($"system:node:{node}", "system:nodes"));
if (bootstrap)
    Write("bootstrap.conf", server.KubeconfigForToken("tls-bootstrap-token-user", server.CreateBootstrapToken()));
Console.WriteLine($"ready {server.Address.ToString().TrimEnd('/')} {Path.GetFullPath(folder)}");
await stop.Task;
return 0;

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.TrySetResult();
}

void Write(string name, KubeconfigFile file) => KubeconfigWriter.Write(file, Path.Combine(folder, name));
