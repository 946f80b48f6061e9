using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>Whether setting something changes what the agent does.</summary>
public enum SupportState
{
    /// <summary>Works.</summary>
    Supported,

    /// <summary>Accepted and validated, but nothing acts on it yet; named in a warning when set away from its default.</summary>
    NoEffectYet,

    /// <summary>Works in part; docs/compatibility.md says which part.</summary>
    Partly,

    /// <summary>Accepted; has no meaning on Linux, or upstream does nothing with it either.</summary>
    Ignored,
}

/// <summary>What documentation and warnings need to know of a field.</summary>
public interface IConfigurationField
{
    /// <summary>Names from the root, joined by dots, for example authentication.webhook.enabled.</summary>
    string Path { get; }

    /// <summary>What kind of value it takes.</summary>
    string KindName { get; }

    /// <summary>Its default as it would stand in a file; empty when there is none.</summary>
    string DefaultText { get; }

    /// <summary>Whether it works.</summary>
    SupportState State { get; }
}

/// <summary>One field of a configuration record.</summary>
/// <typeparam name="TRecord">The immutable record.</typeparam>
public abstract class ConfigurationField<TRecord>(string path, SupportState state) : IConfigurationField
{
    /// <inheritdoc/>
    public string Path => path;

    /// <inheritdoc/>
    public SupportState State => state;

    /// <inheritdoc/>
    public abstract string KindName { get; }

    /// <inheritdoc/>
    public abstract string DefaultText { get; }

    /// <summary>The record with the field set from a file; the record itself when the value is Go's zero and that means "not set".</summary>
    internal abstract bool TryRead(TRecord record, JsonNode node, ICollection<string> unknown, out TRecord result);

    /// <summary>The record with the field set by a flag: zero is a value there.</summary>
    internal abstract bool TrySet(TRecord record, JsonNode node, out TRecord result);

    /// <summary>The value as a file holds it; null when it is left out.</summary>
    internal abstract JsonNode? Write(TRecord record);
}

/// <summary>A field with a typed way in and out of the record.</summary>
internal sealed class ConfigurationField<TRecord, TValue>(
    string path, FieldKind<TValue> kind, Func<TRecord, TValue> get, Func<TRecord, TValue, TRecord> set, FieldOptions options)
    : ConfigurationField<TRecord>(path, options.State)
    where TRecord : new()
{
    public override string KindName => kind.Name;

    public override string DefaultText => Write(new TRecord())?.ToJsonString() ?? "";

    internal override bool TryRead(TRecord record, JsonNode node, ICollection<string> unknown, out TRecord result)
    {
        bool read = kind.TryRead(node, unknown, out TValue value);
        result = read && !(options.ZeroIsUnset && kind.IsZero(value)) ? set(record, value) : record;
        return read;
    }

    internal override bool TrySet(TRecord record, JsonNode node, out TRecord result)
    {
        bool read = kind.TryRead(node, [], out TValue value);
        result = read ? set(record, value) : record;
        return read;
    }

    internal override JsonNode? Write(TRecord record) => kind.Write(get(record));
}

/// <param name="State">Whether it works.</param>
/// <param name="ZeroIsUnset">True for Go fields that are no pointers: 0, "", 0s mean the default.</param>
internal readonly record struct FieldOptions(SupportState State, bool ZeroIsUnset);
