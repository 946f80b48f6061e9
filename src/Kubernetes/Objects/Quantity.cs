using System.Globalization;
using System.Numerics;
using System.Text.Json.Serialization;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>The family of suffixes a <see cref="Quantity"/> is written with.</summary>
public enum QuantityFormat
{
    /// <summary>Powers of 1000: n, u, m, (none), k, M, G, T, P, E.</summary>
    DecimalSI,

    /// <summary>Powers of 1024: Ki, Mi, Gi, Ti, Pi, Ei.</summary>
    BinarySI,

    /// <summary>Scientific notation: 12e6.</summary>
    DecimalExponent,
}

/// <summary>
/// An amount of a resource: an exact decimal number with a resolution of one billionth and the notation it was written in
/// (upstream: apimachinery/pkg/api/resource/quantity.go). Two quantities are equal when their amounts are, whatever the notation.
/// </summary>
[JsonConverter(typeof(QuantityJsonConverter))]
public readonly struct Quantity : IEquatable<Quantity>, IComparable<Quantity>
{
    private const int FinestScale = -9;

    // Amount = unscaled × 10^scale. The text is kept only where upstream keeps it too, see QuantityParser.
    private readonly BigInteger unscaled;
    private readonly int scale;
    private readonly string? text;

    internal Quantity(BigInteger unscaled, int scale, QuantityFormat format, string? text = null)
    {
        this.unscaled = unscaled;
        this.scale = unscaled.IsZero ? 0 : scale;
        this.text = text;
        Format = format;
    }

    /// <summary>The notation used when the quantity is written.</summary>
    public QuantityFormat Format { get; }

    /// <summary>The amount zero, written 0.</summary>
    public static Quantity Zero => default;

    /// <summary>True when the amount is zero.</summary>
    public bool IsZero => unscaled.IsZero;

    /// <summary>-1, 0 or 1.</summary>
    public int Sign => unscaled.Sign;

    /// <summary>A whole number of units.</summary>
    public static Quantity FromValue(long value, QuantityFormat format = QuantityFormat.DecimalSI) => new(value, 0, format);

    /// <summary>A number of thousandths (millicores).</summary>
    public static Quantity FromMilliValue(long value, QuantityFormat format = QuantityFormat.DecimalSI) => new(value, -3, format);

    /// <summary><paramref name="value"/> × 10^<paramref name="scale"/>; a scale below -9 is rounded away from zero to a billionth.</summary>
    public static Quantity FromScaledValue(long value, int scale, QuantityFormat format = QuantityFormat.DecimalSI) =>
        scale >= FinestScale ? new(value, scale, format) : new(Rescale(value, scale, FinestScale, out _), FinestScale, format);

    /// <summary>Reads the API's text form, for example 100m, 1.5Gi or 2e3.</summary>
    /// <exception cref="FormatException">The text is no quantity; the message quotes it.</exception>
    public static Quantity Parse(string text) =>
        QuantityParser.Parse(text, out Quantity result) is { } error
            ? throw new FormatException($"\"{text}\" is not a quantity: {error}")
            : result;

    /// <summary>Like <see cref="Parse"/>, but reports failure as false.</summary>
    public static bool TryParse(string? text, out Quantity result)
    {
        result = default;
        return text is not null && QuantityParser.Parse(text, out result) is null;
    }

    /// <summary>The amount in whole units, rounded away from zero; saturates at the ends of the range.</summary>
    public long Value() => ScaledValue(0);

    /// <summary>The amount in thousandths, rounded away from zero; saturates at the ends of the range.</summary>
    public long MilliValue() => ScaledValue(-3);

    /// <summary>The amount in units of 10^<paramref name="newScale"/>, rounded away from zero; saturates at the ends of the range.</summary>
    public long ScaledValue(int newScale)
    {
        BigInteger value = Rescale(unscaled, scale, newScale, out _);
        return value > long.MaxValue ? long.MaxValue : value < long.MinValue ? long.MinValue : (long)value;
    }

    /// <summary>The whole number of units when the amount is one and fits.</summary>
    public bool TryGetInt64(out long value)
    {
        BigInteger whole = Rescale(unscaled, scale, 0, out bool exact);
        bool fits = exact && whole >= long.MinValue && whole <= long.MaxValue;
        value = fits ? (long)whole : 0;
        return fits;
    }

    /// <summary>The nearest floating point number.</summary>
    public double ToDouble() => (double)unscaled * Math.Pow(10, scale);

    /// <summary>The sum. It takes this quantity's format, or the other's when this one is zero.</summary>
    public Quantity Add(Quantity other)
    {
        int common = Math.Min(scale, other.scale);
        return new(AtScale(common) + other.AtScale(common), common, IsZero ? other.Format : Format);
    }

    /// <summary>The difference. It takes this quantity's format, or the other's when this one is zero.</summary>
    public Quantity Subtract(Quantity other) => Add(other.Negate()) is var result && IsZero
        ? new(result.unscaled, result.scale, other.Format)
        : result;

    /// <summary>This amount times a whole number.</summary>
    public Quantity Multiply(long factor) => new(unscaled * factor, scale, Format);

    /// <summary>The amount with the other sign.</summary>
    public Quantity Negate() => new(-unscaled, scale, Format);

    /// <summary>The amount rounded away from zero to a multiple of 10^<paramref name="newScale"/>.</summary>
    public Quantity RoundUp(int newScale) =>
        scale >= newScale ? this : new(Rescale(unscaled, scale, newScale, out _), newScale, Format);

    /// <inheritdoc/>
    public int CompareTo(Quantity other)
    {
        if (scale == other.scale)
            return unscaled.CompareTo(other.unscaled);
        if (unscaled.Sign != other.unscaled.Sign)
            return unscaled.Sign.CompareTo(other.unscaled.Sign);
        int common = Math.Min(scale, other.scale);
        return AtScale(common).CompareTo(other.AtScale(common));
    }

    /// <inheritdoc/>
    public bool Equals(Quantity other) => CompareTo(other) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Quantity other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        (BigInteger value, int exponent) = StripZeros(unscaled, scale);
        return HashCode.Combine(value, exponent);
    }

    /// <summary>The canonical text: no fraction, the largest suffix that keeps the number whole.</summary>
    public override string ToString() => text ?? Canonical();

    /// <summary>True when both amounts are the same.</summary>
    public static bool operator ==(Quantity left, Quantity right) => left.Equals(right);

    /// <summary>True when the amounts differ.</summary>
    public static bool operator !=(Quantity left, Quantity right) => !left.Equals(right);

    /// <summary>Compares amounts.</summary>
    public static bool operator <(Quantity left, Quantity right) => left.CompareTo(right) < 0;

    /// <summary>Compares amounts.</summary>
    public static bool operator >(Quantity left, Quantity right) => left.CompareTo(right) > 0;

    /// <summary>Compares amounts.</summary>
    public static bool operator <=(Quantity left, Quantity right) => left.CompareTo(right) <= 0;

    /// <summary>Compares amounts.</summary>
    public static bool operator >=(Quantity left, Quantity right) => left.CompareTo(right) >= 0;

    /// <summary><see cref="Add"/>.</summary>
    public static Quantity operator +(Quantity left, Quantity right) => left.Add(right);

    /// <summary><see cref="Subtract"/>.</summary>
    public static Quantity operator -(Quantity left, Quantity right) => left.Subtract(right);

    internal static BigInteger Rescale(BigInteger value, int from, int to, out bool exact)
    {
        exact = true;
        if (from >= to)
            return value * BigInteger.Pow(10, from - to);
        BigInteger quotient = BigInteger.DivRem(value, BigInteger.Pow(10, to - from), out BigInteger rest);
        exact = rest.IsZero;
        return exact ? quotient : quotient + rest.Sign;
    }

    private static (BigInteger Value, int Scale) StripZeros(BigInteger value, int scale)
    {
        while (!value.IsZero)
        {
            BigInteger next = BigInteger.DivRem(value, 10, out BigInteger rest);
            if (!rest.IsZero)
                break;
            (value, scale) = (next, scale + 1);
        }
        return (value, value.IsZero ? 0 : scale);
    }

    private BigInteger AtScale(int target) => unscaled * BigInteger.Pow(10, scale - target);

    private string Canonical()
    {
        if (unscaled.IsZero)
            return "0";
        if (Format == QuantityFormat.BinarySI)
        {
            BigInteger whole = Rescale(unscaled, scale, 0, out bool exact);
            if (exact && BigInteger.Abs(whole) >= 1024)
                return BinaryText(whole);
        }
        return DecimalText();
    }

    private static string BinaryText(BigInteger whole)
    {
        int power = 0;
        while (power < QuantityParser.BinarySuffixes.Length - 1 && (whole & 1023).IsZero)
            (whole, power) = (whole >> 10, power + 1);
        return whole.ToString(CultureInfo.InvariantCulture) + QuantityParser.BinarySuffixes[power];
    }

    private string DecimalText()
    {
        bool scientific = Format == QuantityFormat.DecimalExponent;
        (BigInteger value, int exponent) = StripZeros(unscaled, scale);
        int target = exponent - (((exponent % 3) + 3) % 3);
        if (!scientific)
            target = Math.Min(target, 18);
        string number = (value * BigInteger.Pow(10, exponent - target)).ToString(CultureInfo.InvariantCulture);
        if (scientific)
            return target == 0 ? number : string.Create(CultureInfo.InvariantCulture, $"{number}e{target}");
        return number + QuantityParser.DecimalSuffix(target);
    }
}
