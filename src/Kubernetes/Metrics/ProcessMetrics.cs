using System.Diagnostics;
using System.Globalization;

namespace NodeAgent.Kubernetes.Metrics;

/// <summary>process_* metrics of this process, as Prometheus' process collector names them.</summary>
public static class ProcessMetrics
{
    private const double TicksPerSecond = 100;

    /// <summary>Registers the metrics; they are read from /proc/self at each scrape.</summary>
    public static void Register(MetricsRegistry registry)
    {
        GaugeFamily.Series start = registry.Gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.").With();
        GaugeFamily.Series resident = registry.Gauge("process_resident_memory_bytes", "Resident memory size in bytes.").With();
        GaugeFamily.Series @virtual = registry.Gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.").With();
        GaugeFamily.Series open = registry.Gauge("process_open_fds", "Number of open file descriptors.").With();
        CounterFamily.Series cpu = registry.Counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.").With();
        using (Process self = Process.GetCurrentProcess())
        {
            start.Set((self.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds);
        }

        registry.OnCollect(() =>
        {
            string stat = File.ReadAllText("/proc/self/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            double seconds = (Field(fields, 11) + Field(fields, 12)) / TicksPerSecond;
            cpu.Increment(Math.Max(0, seconds - cpu.Value));
            @virtual.Set(Field(fields, 20));
            resident.Set(Field(fields, 21) * Environment.SystemPageSize);
            open.Set(Directory.GetFiles("/proc/self/fd").Length);
        });
    }

    private static double Field(string[] fields, int index) => double.Parse(fields[index], CultureInfo.InvariantCulture);
}
