using System.Globalization;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Configuration.Validation;

/// <summary>Eviction thresholds; upstream refuses these when its eviction manager is made, before anything runs.</summary>
internal static class EvictionValidator
{
    private static readonly string[] Signals =
    [
        "memory.available", "allocatableMemory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree",
        "containerfs.available", "containerfs.inodesFree", "pid.available",
    ];

    internal static void Validate(ValidationRun run)
    {
        KubeletConfiguration c = run.Configuration;
        Thresholds(run, c.EvictionHard ?? new Dictionary<string, string>(), "evictionHard");
        Thresholds(run, c.EvictionSoft, "evictionSoft");
        Thresholds(run, c.EvictionMinimumReclaim, "evictionMinimumReclaim");
        foreach ((string signal, string period) in c.EvictionSoftGracePeriod)
        {
            run.Require(GoDuration.TryParse(period, out TimeSpan value) && value >= TimeSpan.Zero, $"evictionSoftGracePeriod[{signal}]",
                $"\"{period}\" is no duration", "give a duration such as 1m30s");
        }
        foreach (string signal in c.EvictionSoft.Keys)
        {
            run.Require(c.EvictionSoftGracePeriod.ContainsKey(signal), $"evictionSoftGracePeriod[{signal}]", "is missing",
                $"give a grace period for evictionSoft[{signal}]");
        }
    }

    private static void Thresholds(ValidationRun run, IReadOnlyDictionary<string, string> thresholds, string path)
    {
        foreach ((string signal, string text) in thresholds)
        {
            run.Require(Signals.Contains(signal), $"{path}[{signal}]", "is no eviction signal", $"use one of {string.Join(", ", Signals)}");
            run.Require(IsThreshold(text), $"{path}[{signal}]", $"\"{text}\" is neither a quantity nor a percentage", "give for example 100Mi or 10%");
        }
    }

    private static bool IsThreshold(string text)
    {
        return text.EndsWith('%')
            ? double.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.Float, CultureInfo.InvariantCulture, out double percent) && percent is >= 0 and <= 100
            : Quantity.TryParse(text, out Quantity quantity) && quantity.Sign >= 0;
    }
}
