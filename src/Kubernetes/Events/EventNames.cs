using System.Globalization;

namespace NodeAgent.Kubernetes.Events;

/// <summary>Names of events: the object's name and the time in hexadecimal nanoseconds.</summary>
internal static class EventNames
{
    private const int MaximumName = 253;

    internal static string Next(string? objectName, DateTimeOffset now)
    {
        // Ticks are 100 ns: the rest keeps names apart that are made within one tick.
        long nanoseconds = ((now - DateTimeOffset.UnixEpoch).Ticks * 100) + Random.Shared.Next(100);
        string suffix = "." + nanoseconds.ToString("x", CultureInfo.InvariantCulture);
        string name = objectName ?? "";
        // An event may not fail for its object's long name.
        return name.Length + suffix.Length <= MaximumName ? name + suffix : name[..(MaximumName - suffix.Length)].TrimEnd('.', '-') + suffix;
    }
}
