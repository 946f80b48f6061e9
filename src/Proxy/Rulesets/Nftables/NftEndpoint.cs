using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>Address and port of an endpoint, kept small since there are very many.</summary>
public readonly record struct NftEndpoint : IComparable<NftEndpoint>
{
    // Two halves: code over UInt128 is never compiled ahead of time.
    private readonly ulong _first;
    private readonly ulong _second;
    private readonly ushort _port;
    private readonly bool _isIPv6;

    /// <summary>From canonical text and a port.</summary>
    public NftEndpoint(string address, int port)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        IPAddress parsed = IPAddress.Parse(address);
        parsed.TryWriteBytes(bytes, out int length);
        this = new NftEndpoint(bytes, (ushort)port, length == 16);
    }

    private NftEndpoint(ReadOnlySpan<byte> address, ushort port, bool isIPv6) =>
        (_first, _second, _port, _isIPv6) = (BinaryPrimitives.ReadUInt64BigEndian(address), BinaryPrimitives.ReadUInt64BigEndian(address[8..]), port, isIPv6);

    /// <summary>From the data of a map: address, port, padding.</summary>
    public static NftEndpoint FromData(ReadOnlySpan<byte> data)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        data[..^4].CopyTo(bytes);
        return new NftEndpoint(bytes, BinaryPrimitives.ReadUInt16BigEndian(data[^4..]), data.Length > 8);
    }

    /// <summary>Bytes of the address.</summary>
    public int AddressLength => _isIPv6 ? 16 : 4;

    /// <summary>The port.</summary>
    public int Port => _port;

    /// <summary>The address in canonical text.</summary>
    public string Address
    {
        get
        {
            Span<byte> bytes = stackalloc byte[16];
            Write(bytes);
            return new IPAddress(bytes[..AddressLength]).ToString();
        }
    }

    /// <summary>Writes the address' bytes.</summary>
    public void WriteAddress(Span<byte> target)
    {
        Span<byte> bytes = stackalloc byte[16];
        Write(bytes);
        bytes[..AddressLength].CopyTo(target);
    }

    /// <summary>As the data of a map.</summary>
    public byte[] ToData()
    {
        byte[] data = new byte[AddressLength + 4];
        WriteAddress(data);
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(AddressLength), _port);
        return data;
    }

    /// <inheritdoc/>
    public int CompareTo(NftEndpoint other)
    {
        int c = _first.CompareTo(other._first);
        c = c != 0 ? c : _second.CompareTo(other._second);
        return c != 0 ? c : _port.CompareTo(other._port);
    }

    /// <summary>
    /// Gives each endpoint a slot from 0 on so that as many as possible stay where they were: what is removed makes room for what is
    /// new, then for what the last slots held.
    /// </summary>
    /// <param name="before">By slot.</param>
    /// <param name="wanted">In any order; one that comes twice gets one slot.</param>
    public static ImmutableArray<NftEndpoint> Assign(ImmutableArray<NftEndpoint> before, ImmutableArray<NftEndpoint> wanted)
    {
        ImmutableArray<NftEndpoint> sorted = Sorted(wanted);
        if (before.IsEmpty || sorted.IsEmpty)
        {
            return sorted;
        }

        var slots = new NftEndpoint?[sorted.Length];
        bool[] placed = new bool[sorted.Length];
        for (int i = 0; i < Math.Min(before.Length, slots.Length); i++)
        {
            int at = sorted.AsSpan().BinarySearch(before[i]);
            if (at >= 0 && !placed[at])
            {
                (slots[i], placed[at]) = (before[i], true);
            }
        }

        var assigned = ImmutableArray.CreateBuilder<NftEndpoint>(slots.Length);
        int next = 0;
        foreach (NftEndpoint? slot in slots)
        {
            if (slot is null)
            {
                next = Array.IndexOf(placed, false, next);
                assigned.Add(sorted[next++]);
            }
            else
            {
                assigned.Add(slot.Value);
            }
        }

        return assigned.MoveToImmutable();
    }

    /// <summary>In order, each once.</summary>
    private static ImmutableArray<NftEndpoint> Sorted(ImmutableArray<NftEndpoint> endpoints)
    {
        bool sorted = true;
        for (int i = 1; i < endpoints.Length && sorted; i++)
        {
            sorted = endpoints[i - 1].CompareTo(endpoints[i]) < 0;
        }

        if (sorted)
        {
            return endpoints;
        }

        NftEndpoint[] ordered = [.. endpoints];
        Array.Sort(ordered, static (a, b) => a.CompareTo(b));
        int count = 1;
        for (int i = 1; i < ordered.Length; i++)
        {
            if (ordered[i] != ordered[count - 1])
            {
                ordered[count++] = ordered[i];
            }
        }

        return ImmutableArray.Create(ordered, 0, count);
    }

    private void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _first);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _second);
    }
}
