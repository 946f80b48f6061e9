using System.Globalization;
using NodeAgent.Kubelet.Resources;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Nodes;

/// <summary>A signal's amount now.</summary>
/// <param name="Available">What is left.</param>
/// <param name="Capacity">What there is in all.</param>
public readonly record struct EvictionSignal(long Available, long Capacity);

/// <summary>A hard threshold: crossed while the signal is below it.</summary>
/// <param name="Signal">e.g. memory.available.</param>
/// <param name="Amount">Absolute amount, or null where a share is given.</param>
/// <param name="Share">Share of the capacity, 0 to 1.</param>
public sealed record EvictionThreshold(string Signal, long? Amount, double Share)
{
    /// <summary>The amount for a capacity.</summary>
    public long Of(long capacity) => Amount ?? (long)(Share * capacity);
}

/// <summary>Hard eviction thresholds, for pressure conditions and allocatable. Pure. Source: pkg/kubelet/eviction/helpers.go.</summary>
public static class EvictionThresholds
{
    /// <summary>Linux defaults.</summary>
    public static readonly IReadOnlyDictionary<string, string> Default = new Dictionary<string, string>
    {
        ["memory.available"] = "100Mi",
        ["nodefs.available"] = "10%",
        ["nodefs.inodesFree"] = "5%",
        ["imagefs.available"] = "15%",
        ["imagefs.inodesFree"] = "5%",
    };

    /// <summary>Reads thresholds; 0% and 100% mean none.</summary>
    /// <exception cref="FormatException">A value is neither quantity nor percentage; names the signal.</exception>
    public static IReadOnlyList<EvictionThreshold> Parse(IReadOnlyDictionary<string, string> hard)
    {
        List<EvictionThreshold> thresholds = [];
        foreach ((string signal, string text) in hard.OrderBy(h => h.Key, StringComparer.Ordinal))
        {
            if (text is "0%" or "100%")
            {
                continue;
            }

            if (text.EndsWith('%') && double.TryParse(text.AsSpan(0, text.Length - 1), CultureInfo.InvariantCulture, out double percent) && percent is > 0 and < 100)
            {
                thresholds.Add(new EvictionThreshold(signal, null, percent / 100));
            }
            else if (Quantity.TryParse(text, out Quantity amount) && amount.Sign >= 0)
            {
                thresholds.Add(new EvictionThreshold(signal, amount.Value(), 0));
            }
            else
            {
                throw new FormatException($"evictionHard[{signal}]: \"{text}\" is neither a quantity nor a percentage between 0% and 100%");
            }
        }

        return thresholds;
    }

    /// <summary>What the thresholds keep free, by resource; taken from allocatable.</summary>
    public static IReadOnlyDictionary<string, Quantity> Reservation(IReadOnlyList<EvictionThreshold> thresholds, IReadOnlyDictionary<string, Quantity> capacity)
    {
        Dictionary<string, Quantity> reserved = [];
        foreach (EvictionThreshold threshold in thresholds)
        {
            string? resource = threshold.Signal switch
            {
                "memory.available" => PodResources.Memory,
                "nodefs.available" => PodResources.EphemeralStorage,
                _ => null,
            };
            if (resource is not null && capacity.TryGetValue(resource, out Quantity total))
            {
                reserved[resource] = Quantity.FromValue(threshold.Of(total.Value()), QuantityFormat.BinarySI);
            }
        }

        return reserved;
    }

    /// <summary>Conditions whose signals are below a threshold: MemoryPressure, DiskPressure, PIDPressure.</summary>
    public static IReadOnlySet<string> Crossed(IReadOnlyList<EvictionThreshold> thresholds, IReadOnlyDictionary<string, EvictionSignal> signals)
    {
        HashSet<string> conditions = [];
        foreach (EvictionThreshold threshold in thresholds)
        {
            if (signals.TryGetValue(threshold.Signal, out EvictionSignal signal) && signal.Available < threshold.Of(signal.Capacity))
            {
                conditions.Add(threshold.Signal switch
                {
                    "memory.available" or "allocatableMemory.available" => "MemoryPressure",
                    "pid.available" => "PIDPressure",
                    _ => "DiskPressure",
                });
            }
        }

        return conditions;
    }
}

/// <summary>Holds a pressure condition until its signal has been well for the transition period.</summary>
/// <param name="thresholds">Hard thresholds.</param>
/// <param name="transitionPeriod">evictionPressureTransitionPeriod.</param>
/// <param name="time">Measures the period; a change of the date does not move it.</param>
public sealed class NodePressureTracker(IReadOnlyList<EvictionThreshold> thresholds, TimeSpan transitionPeriod, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _lastCrossed = [];

    /// <summary>The conditions that hold, sorted.</summary>
    public IReadOnlyList<string> Observe(IReadOnlyDictionary<string, EvictionSignal> signals)
    {
        long now = time.GetTimestamp();
        lock (_lock)
        {
            foreach (string condition in EvictionThresholds.Crossed(thresholds, signals))
            {
                _lastCrossed[condition] = now;
            }

            return [.. _lastCrossed.Where(c => time.GetElapsedTime(c.Value, now) < transitionPeriod || c.Value == now).Select(c => c.Key).Order(StringComparer.Ordinal)];
        }
    }
}
