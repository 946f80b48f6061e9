using System.Buffers;
using System.Globalization;
using System.Text;

namespace NodeAgent.Kubernetes.Metrics;

/// <summary>
/// Counters, gauges and histograms by upstream's names, written in the Prometheus text format 0.0.4. Thread-safe.
/// Asking twice for a name gives the same family; asking with another kind or other labels throws.
/// </summary>
public sealed class MetricsRegistry
{
    /// <summary>Prometheus' usual bounds, in seconds.</summary>
    public static readonly IReadOnlyList<double> DefaultBuckets = [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10];

    /// <summary>The content type of what <see cref="Write"/> gives.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, MetricFamily> _families = new(StringComparer.Ordinal);
    private readonly List<Action> _collectors = [];

    /// <summary>A family of counters.</summary>
    /// <param name="name">Complete name, e.g. kubelet_runtime_operations_total.</param>
    /// <param name="help">One line for readers.</param>
    /// <param name="labels">Label names, in the order values are given.</param>
    public CounterFamily Counter(string name, string help, params IReadOnlyList<string> labels) => Get(name, () => new CounterFamily(name, help, labels), labels);

    /// <summary>A family of gauges.</summary>
    /// <inheritdoc cref="Counter"/>
    public GaugeFamily Gauge(string name, string help, params IReadOnlyList<string> labels) => Get(name, () => new GaugeFamily(name, help, labels), labels);

    /// <summary>A family of histograms.</summary>
    /// <param name="name">Complete name without the suffixes _bucket, _sum, _count.</param>
    /// <param name="help">One line for readers.</param>
    /// <param name="buckets">Upper bounds, ascending, without +Inf.</param>
    /// <param name="labels">Label names, in the order values are given.</param>
    public HistogramFamily Histogram(string name, string help, IReadOnlyList<double> buckets, params IReadOnlyList<string> labels) =>
        Get(name, () => new HistogramFamily(name, help, buckets, labels), labels);

    /// <summary>Calls an action before each writing, so that gauges read at scrape time can be set.</summary>
    public void OnCollect(Action collect)
    {
        lock (_lock)
        {
            _collectors.Add(collect);
        }
    }

    /// <summary>All families that have samples, sorted by name.</summary>
    public string Write()
    {
        Action[] collectors;
        lock (_lock)
        {
            collectors = [.. _collectors];
        }

        foreach (Action collect in collectors)
        {
            collect();
        }

        MetricFamily[] families;
        lock (_lock)
        {
            families = [.. _families.Values];
        }

        StringBuilder text = new(16 * 1024);
        foreach (MetricFamily family in families)
        {
            family.Write(text);
        }

        return text.ToString();
    }

    private T Get<T>(string name, Func<T> make, IReadOnlyList<string> labels)
        where T : MetricFamily
    {
        lock (_lock)
        {
            if (!_families.TryGetValue(name, out MetricFamily? family))
            {
                _families[name] = family = make();
            }

            return family is T same && same.Labels.SequenceEqual(labels) ? same
                : throw new InvalidOperationException($"metric {name} exists already as {family.Type} with labels ({string.Join(", ", family.Labels)})");
        }
    }
}

/// <summary>All series of one metric name.</summary>
public abstract class MetricFamily
{
    private static readonly SearchValues<char> Escaped = SearchValues.Create("\\\"\n");

    private protected MetricFamily(string name, string help, IReadOnlyList<string> labels)
    {
        Name = name;
        Help = help;
        Labels = [.. labels];
    }

    /// <summary>Complete name.</summary>
    public string Name { get; }

    /// <summary>One line for readers.</summary>
    public string Help { get; }

    /// <summary>Label names.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>counter, gauge or histogram.</summary>
    public abstract string Type { get; }

    internal abstract void Write(StringBuilder text);

    private protected void WriteHead(StringBuilder text) =>
        text.Append("# HELP ").Append(Name).Append(' ').Append(Help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal))
            .Append("\n# TYPE ").Append(Name).Append(' ').Append(Type).Append('\n');

    private protected void WriteSample(StringBuilder text, string suffix, IReadOnlyList<string> values, string? bound, double value)
    {
        text.Append(Name).Append(suffix);
        if (values.Count > 0 || bound is not null)
        {
            text.Append('{');
            for (int i = 0; i < values.Count; i++)
            {
                text.Append(i > 0 ? "," : "").Append(Labels[i]).Append("=\"").Append(Escape(values[i])).Append('"');
            }

            if (bound is not null)
            {
                text.Append(values.Count > 0 ? "," : "").Append("le=\"").Append(bound).Append('"');
            }

            text.Append('}');
        }

        text.Append(' ').Append(Number(value)).Append('\n');
    }

    private protected static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture).Replace("E+", "e+", StringComparison.Ordinal).Replace("E-", "e-", StringComparison.Ordinal),
    };

    private static string Escape(string value) => value.AsSpan().IndexOfAny(Escaped) < 0 ? value
        : value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>A metric whose series are found by their label values.</summary>
/// <typeparam name="TSeries">One series.</typeparam>
public abstract class MetricFamily<TSeries> : MetricFamily
    where TSeries : class
{
    private readonly Lock _lock = new();
    // By the hash of the label values, those with the same hash as a chain: nothing is made to look one up.
    private readonly Dictionary<int, Entry> _series = [];

    private protected MetricFamily(string name, string help, IReadOnlyList<string> labels)
        : base(name, help, labels)
    {
    }

    /// <summary>The series with these label values; made when first asked for. Throws where their number is not that of the labels.</summary>
    public TSeries With(params ReadOnlySpan<string> values)
    {
        int hash = Hash(values);
        lock (_lock)
        {
            Entry? first = _series.GetValueOrDefault(hash);
            for (Entry? entry = first; entry is not null; entry = entry.Next)
            {
                if (values.SequenceEqual(entry.Values))
                {
                    return entry.Series;
                }
            }

            TSeries made = Make();
            _series[hash] = new Entry(values.ToArray(), made, first);
            return made;
        }
    }

    /// <summary>Takes a series out.</summary>
    public void Remove(params ReadOnlySpan<string> values)
    {
        int hash = Hash(values);
        lock (_lock)
        {
            _series.Remove(hash, out Entry? entry);
            for (; entry is not null; entry = entry.Next)
            {
                if (!values.SequenceEqual(entry.Values))
                {
                    _series[hash] = new Entry(entry.Values, entry.Series, _series.GetValueOrDefault(hash));
                }
            }
        }
    }

    /// <summary>Takes all series out.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _series.Clear();
        }
    }

    internal override void Write(StringBuilder text)
    {
        SortedDictionary<string, Entry> all = new(StringComparer.Ordinal);
        lock (_lock)
        {
            foreach (Entry first in _series.Values)
            {
                for (Entry? entry = first; entry is not null; entry = entry.Next)
                {
                    all[string.Join('\u0001', entry.Values)] = entry;
                }
            }
        }

        if (all.Count == 0)
        {
            return;
        }

        WriteHead(text);
        foreach (Entry entry in all.Values)
        {
            WriteSeries(text, entry.Values, entry.Series);
        }
    }

    private protected abstract TSeries Make();

    private protected abstract void WriteSeries(StringBuilder text, string[] values, TSeries series);

    private int Hash(ReadOnlySpan<string> values)
    {
        if (values.Length != Labels.Count)
        {
            throw new ArgumentException($"metric {Name} has {Labels.Count} labels ({string.Join(", ", Labels)}), got {values.Length} values", nameof(values));
        }

        int hash = 0;
        foreach (string value in values)
        {
            hash = (hash * 31) + string.GetHashCode(value);
        }

        return hash;
    }

    private sealed record Entry(string[] Values, TSeries Series, Entry? Next);
}

/// <summary>Counters of one name.</summary>
public sealed class CounterFamily : MetricFamily<CounterFamily.Series>
{
    internal CounterFamily(string name, string help, IReadOnlyList<string> labels)
        : base(name, help, labels)
    {
    }

    /// <inheritdoc/>
    public override string Type => "counter";

    private protected override Series Make() => new();

    private protected override void WriteSeries(StringBuilder text, string[] values, Series series) => WriteSample(text, "", values, null, series.Value);

    /// <summary>One counter; it only grows.</summary>
    public sealed class Series
    {
        private double _value;

        /// <summary>The count.</summary>
        public double Value => Volatile.Read(ref _value);

        /// <summary>Adds to the count.</summary>
        /// <param name="amount">Not negative.</param>
        public void Increment(double amount = 1)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(amount);
            AtomicDouble.Add(ref _value, amount);
        }
    }
}

/// <summary>Gauges of one name.</summary>
public sealed class GaugeFamily : MetricFamily<GaugeFamily.Series>
{
    internal GaugeFamily(string name, string help, IReadOnlyList<string> labels)
        : base(name, help, labels)
    {
    }

    /// <inheritdoc/>
    public override string Type => "gauge";

    private protected override Series Make() => new();

    private protected override void WriteSeries(StringBuilder text, string[] values, Series series) => WriteSample(text, "", values, null, series.Value);

    /// <summary>One gauge.</summary>
    public sealed class Series
    {
        private double _value;

        /// <summary>The value.</summary>
        public double Value => Volatile.Read(ref _value);

        /// <summary>Sets the value.</summary>
        public void Set(double value) => Volatile.Write(ref _value, value);

        /// <summary>Adds to the value; negative amounts take away.</summary>
        public void Add(double amount) => AtomicDouble.Add(ref _value, amount);
    }
}

/// <summary>Histograms of one name.</summary>
public sealed class HistogramFamily : MetricFamily<HistogramFamily.Series>
{
    private readonly double[] _bounds;

    internal HistogramFamily(string name, string help, IReadOnlyList<double> bounds, IReadOnlyList<string> labels)
        : base(name, help, labels) => _bounds = [.. bounds];

    /// <inheritdoc/>
    public override string Type => "histogram";

    private protected override Series Make() => new(_bounds);

    private protected override void WriteSeries(StringBuilder text, string[] values, Series series)
    {
        (long[] counts, double sum) = series.Snapshot();
        long cumulative = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            cumulative += counts[i];
            WriteSample(text, "_bucket", values, i < _bounds.Length ? Number(_bounds[i]) : "+Inf", cumulative);
        }

        WriteSample(text, "_sum", values, null, sum);
        WriteSample(text, "_count", values, null, cumulative);
    }

    /// <summary>One histogram.</summary>
    public sealed class Series
    {
        private readonly double[] _bounds;
        private readonly long[] _counts;
        private readonly Lock _lock = new();
        private double _sum;

        internal Series(double[] bounds)
        {
            _bounds = bounds;
            _counts = new long[bounds.Length + 1];
        }

        /// <summary>Records a value.</summary>
        public void Observe(double value)
        {
            int at = Array.BinarySearch(_bounds, value);
            lock (_lock)
            {
                _counts[at < 0 ? ~at : at]++;
                _sum += value;
            }
        }

        internal (long[] Counts, double Sum) Snapshot()
        {
            lock (_lock)
            {
                return ([.. _counts], _sum);
            }
        }
    }
}

/// <summary>Lock-free addition of doubles.</summary>
internal static class AtomicDouble
{
    public static void Add(ref double location, double amount)
    {
        double seen = Volatile.Read(ref location);
        while (true)
        {
            double before = Interlocked.CompareExchange(ref location, seen + amount, seen);
            if (before.Equals(seen))
            {
                return;
            }

            seen = before;
        }
    }
}
