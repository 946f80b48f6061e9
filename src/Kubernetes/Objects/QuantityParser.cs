using System.Globalization;
using System.Numerics;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>Reads quantities (upstream: apimachinery/pkg/api/resource, quantity.go and suffix.go).</summary>
internal static class QuantityParser
{
    internal static readonly string[] BinarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

    private const string WrongForm = "expected a number with an optional suffix (n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or e<exponent>)";
    private const string DecimalSuffixes = "num kMGTPE";

    // An amount beyond this exponent is no resource, and comparing it would need numbers of that many digits.
    private const int LargestExponent = 999;
    private const int MaxDigitsInInt64 = 18;

    internal static string DecimalSuffix(int exponent)
    {
        char suffix = DecimalSuffixes[(exponent / 3) + 3];
        return suffix == ' ' ? "" : suffix.ToString();
    }

    /// <summary>Returns null when <paramref name="text"/> is a quantity, else what is wrong with it.</summary>
    internal static string? Parse(string text, out Quantity result)
    {
        result = default;
        // A text without digits ("Ki", "-") is zero upstream, strange as it is; only the empty one is not.
        if (text.Length == 0)
            return WrongForm;
        int position = 0;
        bool negative = text[0] == '-';
        if (text[0] is '-' or '+')
            position++;
        ReadOnlySpan<char> whole = Digits(text, ref position);
        ReadOnlySpan<char> fraction = default;
        if (position < text.Length && text[position] == '.')
        {
            position++;
            fraction = Digits(text, ref position);
        }
        if (Suffix(text.AsSpan(position), out QuantityFormat format, out int exponent) is { } error)
            return error;
        whole = whole.TrimStart('0');
        if (whole.IsEmpty)
            whole = "0";
        string digits = string.Concat(whole, fraction);
        BigInteger magnitude = BigInteger.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
        string? kept = UpstreamKeepsText(digits, whole.Length, fraction.Length, format, exponent, magnitude) ? text : null;
        result = Build(negative, magnitude, fraction.Length, format, exponent, kept);
        return null;
    }

    private static Quantity Build(bool negative, BigInteger magnitude, int places, QuantityFormat format, int exponent, string? kept)
    {
        bool binary = format == QuantityFormat.BinarySI;
        if (binary)
            magnitude <<= exponent;
        int scale = (binary ? 0 : exponent) - places;
        if (scale < -9)
        {
            magnitude = Quantity.Rescale(magnitude, scale, -9, out _);
            scale = -9;
        }
        if (binary)
        {
            BigInteger unit = BigInteger.Pow(10, -scale);
            if (magnitude > unit * long.MaxValue)
                (magnitude, scale) = (long.MaxValue, 0);
            else if (magnitude < unit && !magnitude.IsZero)
                format = QuantityFormat.DecimalSI;
        }
        return new Quantity(negative ? -magnitude : magnitude, scale, format, kept);
    }

    /// <summary>
    /// Upstream's quick path hands back the input text for numbers that look canonical already. The test is cheap, so a few
    /// that are not (1.500, +5) come back as they were; written objects must not differ from the Go agent's.
    /// </summary>
    private static bool UpstreamKeepsText(
        string digits, int whole, int places, QuantityFormat format, int exponent, BigInteger magnitude)
    {
        if (format != QuantityFormat.BinarySI)
            return digits.Length <= MaxDigitsInInt64 && exponent - places >= -9 && (exponent - places) % 3 == 0
                && !digits.EndsWith("000", StringComparison.Ordinal) && digits[0] != '0';
        return places == 0 && 15 - whole - (exponent * 3 / 10) - 1 >= 0 && !(magnitude & 7).IsZero;
    }

    private static ReadOnlySpan<char> Digits(string text, scoped ref int position)
    {
        int start = position;
        while (position < text.Length && char.IsAsciiDigit(text[position]))
            position++;
        return text.AsSpan(start, position - start);
    }

    private static string? Suffix(ReadOnlySpan<char> suffix, out QuantityFormat format, out int exponent)
    {
        (format, exponent) = (QuantityFormat.DecimalSI, 0);
        if (suffix.IsEmpty)
            return null;
        if (suffix.Length == 1 && suffix[0] != ' ' && DecimalSuffixes.IndexOf(suffix[0], StringComparison.Ordinal) is >= 0 and var index)
        {
            exponent = (index - 3) * 3;
            return null;
        }
        for (int i = 1; i < BinarySuffixes.Length; i++)
        {
            if (!suffix.SequenceEqual(BinarySuffixes[i]))
                continue;
            (format, exponent) = (QuantityFormat.BinarySI, i * 10);
            return null;
        }
        format = QuantityFormat.DecimalExponent;
        if (suffix[0] is not ('e' or 'E')
            || !int.TryParse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
            return WrongForm;
        return Math.Abs((long)exponent) > LargestExponent ? $"the exponent is beyond {LargestExponent}" : null;
    }
}
