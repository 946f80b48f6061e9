using System.Globalization;
using System.Text.Json.Serialization;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>
/// A 32-bit number or a text, such as a port number or port name (upstream: apimachinery/pkg/util/intstr). The text "80" stays a text.
/// </summary>
[JsonConverter(typeof(IntOrStringJsonConverter))]
public readonly record struct IntOrString
{
    private readonly int number;

    /// <summary>The number <paramref name="value"/>.</summary>
    public IntOrString(int value) => number = value;

    /// <summary>The text <paramref name="value"/>, even when it consists of digits.</summary>
    public IntOrString(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        StringValue = value;
    }

    /// <summary>True when this is a text.</summary>
    public bool IsString => StringValue is not null;

    /// <summary>The text, or null when this is a number.</summary>
    public string? StringValue { get; }

    /// <summary>The number; for a text of digits the number it spells, else 0.</summary>
    public int IntValue => StringValue is null
        ? number
        : int.TryParse(StringValue, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int parsed) ? parsed : 0;

    /// <summary>A number.</summary>
    public static implicit operator IntOrString(int value) => new(value);

    /// <summary>A text.</summary>
    public static implicit operator IntOrString(string value) => new(value);

    /// <summary>The number when the whole text is a decimal number, else the text itself (upstream: intstr.Parse).</summary>
    public static IntOrString Parse(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? new(value) : new(text);

    /// <inheritdoc/>
    public override string ToString() => StringValue ?? number.ToString(CultureInfo.InvariantCulture);
}
