using System.Globalization;

namespace NodeAgent.Grpc;

/// <summary>The grpc-timeout header: at most eight digits and a unit.</summary>
internal static class GrpcTimeout
{
    private const long Most = 99_999_999;

    public static string Format(TimeSpan timeout)
    {
        long milliseconds = Math.Max(1, (long)Math.Ceiling(timeout.TotalMilliseconds));
        if (milliseconds <= Most) return milliseconds.ToString(CultureInfo.InvariantCulture) + "m";
        long seconds = milliseconds / 1000 + 1;
        if (seconds <= Most) return seconds.ToString(CultureInfo.InvariantCulture) + "S";
        return Math.Min(Most, seconds / 3600 + 1).ToString(CultureInfo.InvariantCulture) + "H";
    }

    public static bool TryParse(string text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9) return false;
        if (!long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long value)) return false;
        long ticks = text[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0,
            _ => -1,
        };
        if (ticks < 0) return false;
        timeout = ticks == 0 ? TimeSpan.FromTicks((value + 99) / 100) : TimeSpan.FromTicks(value * ticks);
        return true;
    }
}
