using NodeAgent.Demo;
using NodeAgent.Harness;

// The demo of the README: a cluster of one node on this machine, left running until it is taken down.
HarnessOptions options = new()
{
    Folder = Environment.GetEnvironmentVariable("NODE_AGENT_DEMO_FOLDER") is { Length: > 0 } folder ? folder : "/var/tmp/node-agent-demo",
    NodeName = "demo-node",
    Prefix = "nademo",
    PodNetwork = 217,
    ServiceNetwork = 218,
    ControlPlane = HarnessOptions.ControlPlaneFromEnvironment(),
    Announce = text => Console.WriteLine($"==> {text}"),
};
try
{
    return args switch
    {
        ["up"] => await DemoCommands.UpAsync(options),
        ["down"] => await DemoCommands.DownAsync(options),
        _ => DemoCommands.Usage(),
    };
}
catch (Exception e)
{
    Console.Error.WriteLine($"demo: {e.Message}");
    Console.Error.WriteLine("What was started has been taken down. If something was left: sudo make demo-down");
    return 1;
}
