namespace NodeAgent.Grpc.Client;

/// <summary>Octets gathered for one send. Grows as needed and lets go of what a large request needed.</summary>
internal sealed class OutputBuffer
{
    private const int Kept = 64 * 1024;
    private byte[] _octets = [];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _octets.AsMemory(0, Length);

    /// <summary>Room for so many octets more, to be filled by the caller; what is in them is not known.</summary>
    public Span<byte> Grow(int count)
    {
        if (_octets.Length - Length < count) Array.Resize(ref _octets, Math.Max(Math.Max(1024, 2 * _octets.Length), Length + count));
        Length += count;
        return _octets.AsSpan(Length - count, count);
    }

    public void Clear()
    {
        Length = 0;
        if (_octets.Length > Kept) _octets = [];
    }
}
