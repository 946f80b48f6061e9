using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>How values of one type stand in a configuration file.</summary>
/// <typeparam name="TValue">The type of the record's property.</typeparam>
/// <param name="name">What a message calls it, for example "a number without fraction".</param>
public abstract class FieldKind<TValue>(string name)
{
    /// <summary>What a message calls the type.</summary>
    public string Name => name;

    /// <summary>Reads a value that is neither absent nor null. Fields inside it that are not known go to <paramref name="unknown"/>.</summary>
    public abstract bool TryRead(JsonNode node, ICollection<string> unknown, out TValue value);

    /// <summary>The value as a file holds it; null leaves the field out.</summary>
    public abstract JsonNode? Write(TValue value);

    /// <summary>Whether Go would call this the zero value, which for fields that are no pointers means "not set".</summary>
    public abstract bool IsZero(TValue value);
}

/// <summary>A <see cref="FieldKind{TValue}"/> out of three functions.</summary>
internal sealed class DelegateFieldKind<TValue>(
    string name, DelegateFieldKind<TValue>.Reader read, Func<TValue, JsonNode?> write, Func<TValue, bool> isZero) : FieldKind<TValue>(name)
{
    internal delegate bool Reader(JsonNode node, ICollection<string> unknown, out TValue value);

    public override bool TryRead(JsonNode node, ICollection<string> unknown, out TValue value) => read(node, unknown, out value);

    public override JsonNode? Write(TValue value) => write(value);

    public override bool IsZero(TValue value) => isZero(value);
}
