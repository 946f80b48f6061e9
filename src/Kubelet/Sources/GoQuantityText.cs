using System.Globalization;
using System.Numerics;

namespace NodeAgent.Kubelet.Sources;

/// <summary>
/// The text of a quantity's fields as Go keeps them: a 64-bit number with a scale, and what was written where that is canonical, else a big
/// decimal; never finer than a thousandth, as the defaults round. Pure. Source: apimachinery/pkg/api/resource/quantity.go, SetDefaults_ResourceList.
/// </summary>
internal static class GoQuantityText
{
    private const int Finest = -9, Milli = -3, MostDigits = 18;
    private static readonly string[] Binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"], Decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

    /// <summary>The text of a quantity as it was written.</summary>
    public static string Of(string written)
    {
        written = written.Trim();
        if (written is "" or "0")
        {
            return Small(0, 0, written, written.Length == 0 ? "" : "DecimalSI");
        }

        string unsigned = written.TrimStart('+', '-');
        bool negative = written[0] == '-';
        int end = unsigned.AsSpan().IndexOfAnyExcept("0123456789.");
        string number = end < 0 ? unsigned : unsigned[..end], suffix = end < 0 ? "" : unsigned[end..];
        string[] parts = number.Split('.', 2);
        string whole = parts[0].TrimStart('0') is { Length: > 0 } digits ? digits : "0", fraction = parts.Length > 1 ? parts[1] : "";
        int binary = Array.IndexOf(Binary, suffix), power = Array.IndexOf(Decimal, suffix);
        string format = binary >= 0 ? "BinarySI" : power >= 0 ? "DecimalSI" : "DecimalExponent";
        int exponent = binary >= 0 ? 10 * (binary + 1) : power >= 0 ? 3 * (power - 3) : int.Parse(suffix[1..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        int precision = binary < 0 ? MostDigits - whole.Length - fraction.Length : fraction.Length > 0 ? -1 : 15 - whole.Length - (int)(exponent * 3f / 10) - 1;
        int scale = (binary < 0 ? exponent : 0) - fraction.Length;
        BigInteger shifted = BigInteger.Parse(whole + fraction, CultureInfo.InvariantCulture), value = shifted * (binary >= 0 ? BigInteger.One << exponent : 1) * (negative ? -1 : 1);
        if (precision >= 0 && scale >= Finest && value >= long.MinValue && value <= long.MaxValue)
        {
            bool canonical = binary >= 0 ? (shifted & 7) != 0 : scale % 3 == 0 && whole[0] != '0' && !(whole + fraction).EndsWith("000", StringComparison.Ordinal);
            return scale >= Milli ? Small((long)value, scale, canonical ? written : "", format) : Small((long)Rounded(value, -scale, 3), Milli, "", format);
        }

        return Big(value, -scale, binary >= 0, format);
    }

    private static string Small(long value, int scale, string written, string format) => string.Create(CultureInfo.InvariantCulture,
        $"{{i:(resource.int64Amount){{value:(int64){value} scale:(resource.Scale){scale}}} d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){written} Format:(resource.Format){format}}}");

    // scale: digits after the point.
    private static string Big(BigInteger value, int scale, bool binary, string format)
    {
        if (scale > -Finest)
        {
            (value, scale) = (Rounded(value, scale, -Finest), -Finest);
        }

        string shown = binary && BigInteger.Abs(value) < BigInteger.Pow(10, Math.Max(scale, 0)) ? "DecimalSI" : format;
        BigInteger amount = BigInteger.Abs(Rounded(value, scale, -Milli));
        List<string> words = [];
        for (BigInteger rest = amount; !rest.IsZero; rest >>= 64)
        {
            words.Add(((ulong)(rest & ulong.MaxValue)).ToString(CultureInfo.InvariantCulture));
        }

        return $"{{i:(resource.int64Amount){{value:(int64)0 scale:(resource.Scale)0}} d:(resource.infDecAmount){{Dec:(*inf.Dec){{unscaled:(big.Int){{neg:(bool){(value.Sign < 0 ? "true" : "false")} abs:(big.nat){(words.Count == 0 ? "<nil>" : $"[{string.Join(' ', words)}]")}}} scale:(inf.Scale)3}}}} s:(string) Format:(resource.Format){shown}}}";
    }

    /// <summary>With another number of digits after the point, away from zero.</summary>
    private static BigInteger Rounded(BigInteger value, int scale, int to)
    {
        if (to >= scale)
        {
            return value * BigInteger.Pow(10, to - scale);
        }

        var quotient = BigInteger.DivRem(value, BigInteger.Pow(10, scale - to), out BigInteger rest);
        return rest.IsZero ? quotient : quotient + value.Sign;
    }
}
