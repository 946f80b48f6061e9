using System.Collections;

namespace NodeAgent.Grpc;

/// <summary>One header or trailer. Keys are lower case; the value of a key that ends in "-bin" is base64 text on the wire.</summary>
/// <param name="Key">Lower-case name.</param>
/// <param name="Value">The text as on the wire.</param>
public readonly record struct MetadataEntry(string Key, string Value);

/// <summary>Headers or trailers in order; a key may occur more than once.</summary>
public sealed class Metadata : IEnumerable<MetadataEntry>
{
    private readonly List<MetadataEntry> _entries = [];

    /// <summary>A new empty list.</summary>
    public static Metadata Empty => new();

    /// <summary>How many entries there are.</summary>
    public int Count => _entries.Count;

    /// <summary>Adds a text value.</summary>
    public void Add(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(value);
        _entries.Add(new MetadataEntry(IsLower(key) ? key : key.ToLowerInvariant(), value));
    }

    /// <summary>Adds a binary value; the key must end in "-bin".</summary>
    public void Add(string key, byte[] value)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!key.EndsWith("-bin", StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException($"metadata key \"{key}\" has a binary value: its name must end in \"-bin\"", nameof(key));
        Add(key, Convert.ToBase64String(value).TrimEnd('='));
    }

    /// <summary>The first value of a key, or null.</summary>
    public string? Get(string key)
    {
        foreach (MetadataEntry entry in _entries)
            if (string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase)) return entry.Value;
        return null;
    }

    /// <summary>The first binary value of a key; null where absent or not base64.</summary>
    public byte[]? GetBytes(string key)
    {
        if (Get(key) is not { } text) return null;
        int comma = text.IndexOf(',', StringComparison.Ordinal);
        string first = (comma < 0 ? text : text[..comma]).Trim().TrimEnd('=');
        if (first.Length % 4 == 1) return null;
        string padded = first + new string('=', (4 - first.Length % 4) % 4);
        var bytes = new byte[padded.Length / 4 * 3];
        return Convert.TryFromBase64String(padded, bytes, out int written) ? bytes[..written] : null;
    }

    /// <inheritdoc/>
    public IEnumerator<MetadataEntry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static bool IsLower(string key)
    {
        foreach (char c in key)
            if (char.IsAsciiLetterUpper(c)) return false;
        return true;
    }
}
