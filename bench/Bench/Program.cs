using System.Globalization;
using NodeAgent.Bench;
using NodeAgent.Bench.Services;

// --also: another build (PROGRAM=path) or other settings (environment variables) of the agent, as a subject of its own; any number of them.
// bench pods [--pods N] [--runs N] [--single N] [--rest SECONDS] [--json FILE] [--also NAME:VARIABLE=VALUE,...]
if (args is ["services", .. string[] more])
{
    return await ServicesBench.MainAsync(more);
}

if (args is ["traffic", .. string[] script])
{
    return await TrafficBench.MainAsync(script);
}

if (args is not ["pods", .. string[] rest] || rest.Length % 2 != 0)
{
    return Usage();
}

PodsBenchOptions options = new();
for (int i = 0; i < rest.Length; i += 2)
{
    if (rest[i] == "--json")
    {
        options = options with { Json = rest[i + 1] };
        continue;
    }

    if (rest[i] == "--also")
    {
        options = options with { Also = [.. options.Also, Subjects.Parse(rest[i + 1])] };
        continue;
    }

    if (!int.TryParse(rest[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < 1)
    {
        return Usage();
    }

    PodsBenchOptions? changed = rest[i] switch
    {
        "--pods" => options with { Pods = number },
        "--runs" => options with { Runs = number },
        "--single" => options with { Single = number },
        "--rest" => options with { Rest = TimeSpan.FromSeconds(number) },
        _ => null,
    };
    if (changed is null)
    {
        return Usage();
    }

    options = changed;
}

try
{
    await PodsBench.RunAsync(options);
    return 0;
}
catch (Exception e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 1;
}

static int Usage()
{
    Console.Error.WriteLine("usage: bench pods [--pods N] [--runs N] [--single N] [--rest SECONDS] [--json FILE] [--also NAME:VARIABLE=VALUE,...]");
    Console.Error.WriteLine($"       bench {ServicesBenchOptions.Usage}");
    Console.Error.WriteLine($"       bench {TrafficBench.Usage}");
    return 2;
}
