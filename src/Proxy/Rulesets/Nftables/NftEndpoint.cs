using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;

namespace NodeAgent.Proxy.Rulesets.Nftables;

/// <summary>Address and port of an endpoint, kept small since there are very many.</summary>
public readonly record struct NftEndpoint : IComparable<NftEndpoint>
{
    private readonly UInt128 _address;
    private readonly ushort _port;
    private readonly bool _isIPv6;

    /// <summary>From canonical text and a port.</summary>
    public NftEndpoint(string address, int port)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        IPAddress parsed = IPAddress.Parse(address);
        parsed.TryWriteBytes(bytes, out int length);
        (_address, _port, _isIPv6) = (BinaryPrimitives.ReadUInt128BigEndian(bytes), (ushort)port, length == 16);
    }

    private NftEndpoint(UInt128 address, ushort port, bool isIPv6) => (_address, _port, _isIPv6) = (address, port, isIPv6);

    /// <summary>From the data of a map: address, port, padding.</summary>
    public static NftEndpoint FromData(ReadOnlySpan<byte> data)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        data[..^4].CopyTo(bytes);
        return new NftEndpoint(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt16BigEndian(data[^4..]), data.Length > 8);
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
            BinaryPrimitives.WriteUInt128BigEndian(bytes, _address);
            return new IPAddress(bytes[..AddressLength]).ToString();
        }
    }

    /// <summary>Writes the address' bytes.</summary>
    public void WriteAddress(Span<byte> target)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, _address);
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
        int c = _address.CompareTo(other._address);
        return c != 0 ? c : _port.CompareTo(other._port);
    }

    /// <summary>
    /// Gives each endpoint a slot from 0 on so that as many as possible stay where they were: what is removed makes room for what is
    /// new, then for what the last slots held.
    /// </summary>
    public static ImmutableArray<NftEndpoint> Assign(ImmutableArray<NftEndpoint> before, IReadOnlyCollection<NftEndpoint> wanted)
    {
        var left = new SortedSet<NftEndpoint>(wanted);
        var slots = new NftEndpoint?[left.Count];
        for (int i = 0; i < Math.Min(before.Length, slots.Length); i++)
        {
            slots[i] = left.Remove(before[i]) ? before[i] : null;
        }

        using SortedSet<NftEndpoint>.Enumerator rest = left.GetEnumerator();
        for (int i = 0; i < slots.Length; i++)
        {
            if (slots[i] is null)
            {
                rest.MoveNext();
                slots[i] = rest.Current;
            }
        }

        return ImmutableArray.Create(Array.ConvertAll(slots, s => s!.Value));
    }
}
