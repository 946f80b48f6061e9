namespace NodeAgent.Bench.Services;

/// <summary>Names of what is measured of a service proxy, in the table's order.</summary>
internal static class ServiceMeasures
{
    internal const string
        Cold = "cold start until all answer (s)", ColdCpu = "cold start, CPU (s)", Change = "one endpoint changed until it answers (ms)",
        ChangeCpu = "one endpoint changed, CPU (ms)", RestCpu = "at rest, CPU (ms/s)", RestSwitches = "at rest, wake-ups (1/s)",
        Anonymous = "at rest, RssAnon (MiB)", Files = "at rest, RssFile (MiB)", Memory = "at rest, RssAnon + RssFile (MiB)";

    internal static IReadOnlyList<string> Order { get; } = [Cold, ColdCpu, Change, ChangeCpu, RestCpu, RestSwitches, Anonymous, Files, Memory];
}
