using System.Text.Json;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>Reads a list as it arrives: what comes before its items, the items one by one, what comes after them.</summary>
/// <param name="each">Takes each item.</param>
internal sealed class ListReader<T>(Action<T> each)
    where T : class, IKubernetesResource<T>
{
    private ListMeta? _metadata;
    private bool _inItems;
    private bool _afterItems;

    /// <summary>Reads what is complete.</summary>
    /// <param name="unread">All that has arrived and was not taken yet.</param>
    /// <returns>Bytes taken; the others are to be given again with more behind them.</returns>
    /// <exception cref="JsonException">It is no list.</exception>
    internal int Take(ReadOnlySpan<byte> unread)
    {
        int taken = 0;
        if (!_inItems && !_afterItems)
            taken = Head(unread);
        while (_inItems && Item(unread[taken..]) is > 0 and int length)
            taken += length;
        return taken;
    }

    /// <summary>Nothing more arrives.</summary>
    /// <exception cref="JsonException">It is cut off, or no list.</exception>
    internal ListMeta End(ReadOnlySpan<byte> unread)
    {
        if (!_afterItems)
        {
            // A list without the field items, or one that is cut off, which the reader tells.
            if (_inItems)
                throw new JsonException("the list ends among its items");
            KubernetesList<T> whole = KubernetesJson.Deserialize<KubernetesList<T>>(unread);
            foreach (T item in whole.Items)
                each(item);
            return whole.Metadata;
        }
        // Behind the items: "}", or more fields.
        byte[] rest = [.. "{\"items\":[]"u8, .. unread];
        ListMeta behind = KubernetesJson.Deserialize<KubernetesList<T>>(rest).Metadata;
        return _metadata ?? behind;
    }

    /// <summary>Up to the bracket that opens the items; 0 while that has not arrived.</summary>
    private int Head(ReadOnlySpan<byte> unread)
    {
        Utf8JsonReader reader = new(unread, isFinalBlock: false, default);
        if (!reader.Read())
            return 0;
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("a list must be an object");
        ListMeta? metadata = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isItems = reader.ValueTextEquals("items"u8), isMetadata = reader.ValueTextEquals("metadata"u8);
            if (!reader.Read())
                return 0;
            if (isItems && reader.TokenType == JsonTokenType.StartArray)
            {
                (_metadata, _inItems) = (metadata, true);
                return (int)reader.BytesConsumed;
            }
            int from = (int)reader.TokenStartIndex;
            if (!reader.TrySkip())
                return 0;
            if (isMetadata)
                metadata = KubernetesJson.Deserialize<ListMeta>(unread[from..(int)reader.BytesConsumed]);
        }
        return 0;
    }

    /// <summary>One item with what is before it, or the bracket behind the last; 0 while it has not arrived whole.</summary>
    private int Item(ReadOnlySpan<byte> unread)
    {
        int from = unread.IndexOfAnyExcept(", \r\n\t"u8);
        if (from < 0)
            return 0;
        if (unread[from] == (byte)']')
        {
            (_inItems, _afterItems) = (false, true);
            return from + 1;
        }
        Utf8JsonReader reader = new(unread[from..], isFinalBlock: false, default);
        if (!reader.Read() || !reader.TrySkip())
            return 0;
        int length = (int)reader.BytesConsumed;
        each(KubernetesJson.Deserialize<T>(unread.Slice(from, length)));
        return from + length;
    }
}
