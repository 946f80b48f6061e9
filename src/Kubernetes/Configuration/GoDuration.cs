using System.Globalization;
using System.Text;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>Durations as Go writes and reads them: 1h2m3.5s, 100ms, 0. Resolution here is 100 ns; finer parts are dropped.</summary>
public static class GoDuration
{
    private static readonly (string Unit, decimal Ticks)[] Units =
    [
        ("ns", 0.01m), ("us", 10m), ("µs", 10m), ("μs", 10m), ("ms", 10_000m), ("s", 10_000_000m), ("m", 600_000_000m), ("h", 36_000_000_000m),
    ];

    /// <summary>Reads a duration; false for anything Go's time.ParseDuration refuses.</summary>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (string.IsNullOrEmpty(text))
            return false;
        bool negative = text[0] == '-';
        ReadOnlySpan<char> rest = text[0] is '-' or '+' ? text.AsSpan(1) : text;
        if (rest is "0")
            return true;
        if (rest.IsEmpty)
            return false;
        decimal ticks = 0;
        while (!rest.IsEmpty)
        {
            if (!TryTakePart(ref rest, out decimal part))
                return false;
            ticks += part;
            if (ticks > 92_233_720_368_547_758m)
                return false;
        }
        duration = TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
        return true;
    }

    /// <summary>The form Go prints: 1h0m0s, 1m30s, 100ms, 0s.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
            return "0s";
        decimal ticks = Math.Abs((decimal)duration.Ticks);
        string sign = duration < TimeSpan.Zero ? "-" : "";
        if (ticks < 10)
            return $"{sign}{Number(ticks * 100)}ns";
        if (ticks < 10_000)
            return $"{sign}{Number(ticks / 10)}µs";
        if (ticks < 10_000_000)
            return $"{sign}{Number(ticks / 10_000)}ms";
        StringBuilder text = new(sign);
        decimal hours = Math.Floor(ticks / 36_000_000_000m);
        decimal minutes = Math.Floor(ticks / 600_000_000m) - (hours * 60);
        if (hours > 0)
            text.Append(Number(hours)).Append('h');
        if (hours > 0 || minutes > 0)
            text.Append(Number(minutes)).Append('m');
        return text.Append(Number(ticks % 600_000_000m / 10_000_000m)).Append('s').ToString();
    }

    private static string Number(decimal value) => value.ToString("0.#########", CultureInfo.InvariantCulture);

    private static bool TryTakePart(ref ReadOnlySpan<char> rest, out decimal ticks)
    {
        ticks = 0;
        int digits = rest.IndexOfAnyExcept("0123456789.");
        if (digits <= 0 || digits > 28 || rest[..digits] is "."
            || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
            return false;
        rest = rest[digits..];
        int end = rest.IndexOfAny("0123456789.");
        ReadOnlySpan<char> unit = end < 0 ? rest : rest[..end];
        foreach ((string name, decimal size) in Units)
        {
            if (!unit.SequenceEqual(name))
                continue;
            rest = rest[unit.Length..];
            if (number > 92_233_720_368_547_758m / size)
                return false;
            ticks = number * size;
            return true;
        }
        return false;
    }
}
