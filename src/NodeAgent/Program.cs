using NodeAgent.Commands;
using NodeAgent.Composition;

// The name we were started by: a link named kubelet or kube-proxy chooses the face. The runtime's own argument list has no argv[0].
string[] commandLine = File.ReadAllText("/proc/self/cmdline").Split('\0');
CommandContext context = new(Console.Out, Console.Error, TimeProvider.System, new AgentFaces(NodeAgent.BuildVersion.Kubernetes));
return await CommandDispatcher.RunAsync(Path.GetFileName(commandLine[0]), args, context);
