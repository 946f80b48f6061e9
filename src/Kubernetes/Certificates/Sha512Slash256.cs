using System.Buffers.Binary;
using System.Numerics;

namespace NodeAgent.Kubernetes.Certificates;

/// <summary>
/// SHA-512/256 (FIPS 180-4), which .NET does not have: SHA-512 with other initial values, cut to 32 bytes. The kubelet's CSR names
/// are made with it. The round constants and initial values are derived as the standard says, not listed.
/// </summary>
internal static class Sha512Slash256
{
    private static readonly ulong[] RoundConstants = [.. Primes().Take(80).Select(prime => FractionOfRoot(prime, 3))];
    private static readonly ulong[] Initial = MakeInitial();

    internal static byte[] Hash(ReadOnlySpan<byte> data)
    {
        byte[] all = new byte[64];
        Write(Digest(data, Initial), all);
        return all[..32];
    }

    private static ulong[] MakeInitial()
    {
        ulong[] start = [.. Primes().Take(8).Select(prime => FractionOfRoot(prime, 2) ^ 0xa5a5a5a5a5a5a5a5UL)];
        return Digest("SHA-512/256"u8, start);
    }

    private static ulong[] Digest(ReadOnlySpan<byte> data, ulong[] initial)
    {
        byte[] padded = new byte[(data.Length + 17 + 127) / 128 * 128];
        data.CopyTo(padded);
        padded[data.Length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded.AsSpan(padded.Length - 8), (ulong)data.Length * 8);
        ulong[] state = [.. initial];
        for (int at = 0; at < padded.Length; at += 128)
            Block(state, padded.AsSpan(at, 128));
        return state;
    }

    private static void Block(ulong[] state, ReadOnlySpan<byte> block)
    {
        Span<ulong> w = stackalloc ulong[80];
        for (int t = 0; t < 80; t++)
            w[t] = t < 16 ? BinaryPrimitives.ReadUInt64BigEndian(block[(t * 8)..]) : Small1(w[t - 2]) + w[t - 7] + Small0(w[t - 15]) + w[t - 16];
        (ulong a, ulong b, ulong c, ulong d) = (state[0], state[1], state[2], state[3]);
        (ulong e, ulong f, ulong g, ulong h) = (state[4], state[5], state[6], state[7]);
        for (int t = 0; t < 80; t++)
        {
            ulong t1 = h + (R(e, 14) ^ R(e, 18) ^ R(e, 41)) + ((e & f) ^ (~e & g)) + RoundConstants[t] + w[t];
            ulong t2 = (R(a, 28) ^ R(a, 34) ^ R(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e, d, c, b, a) = (g, f, e, d + t1, c, b, a, t1 + t2);
        }
        ReadOnlySpan<ulong> added = [a, b, c, d, e, f, g, h];
        for (int i = 0; i < 8; i++)
            state[i] += added[i];
    }

    private static ulong R(ulong value, int by) => BitOperations.RotateRight(value, by);

    private static ulong Small0(ulong x) => R(x, 1) ^ R(x, 8) ^ (x >> 7);

    private static ulong Small1(ulong x) => R(x, 19) ^ R(x, 61) ^ (x >> 6);

    private static void Write(ulong[] state, byte[] target)
    {
        for (int i = 0; i < state.Length; i++)
            BinaryPrimitives.WriteUInt64BigEndian(target.AsSpan(i * 8), state[i]);
    }

    private static IEnumerable<int> Primes()
    {
        for (int candidate = 2; ; candidate++)
        {
            bool prime = true;
            for (int divisor = 2; divisor * divisor <= candidate && prime; divisor++)
                prime = candidate % divisor != 0;
            if (prime)
                yield return candidate;
        }
    }

    /// <summary>The first 64 bits after the point of the square or cube root.</summary>
    private static ulong FractionOfRoot(int prime, int degree)
    {
        BigInteger target = (BigInteger)prime << (64 * degree), low = 0, high = BigInteger.One << 70;
        while (high - low > 1)
        {
            BigInteger middle = (low + high) / 2;
            if (BigInteger.Pow(middle, degree) <= target)
                low = middle;
            else
                high = middle;
        }
        return (ulong)(low & ulong.MaxValue);
    }
}
