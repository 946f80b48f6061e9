using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>Addresses as upstream reads them: leading zeros in IPv4 octets and prefix lengths are decimal, no shortened forms.</summary>
public static class SloppyAddress
{
    /// <summary>Reads an address without zone.</summary>
    public static bool TryParse(string? text, out IPAddress address)
    {
        address = IPAddress.None;
        if (string.IsNullOrEmpty(text))
            return false;
        if (text.Contains(':', StringComparison.Ordinal))
        {
            bool valid = !text.AsSpan().ContainsAny("%[]/") && IPAddress.TryParse(text, out IPAddress? v6);
            address = valid ? IPAddress.Parse(text) : IPAddress.None;
            return valid;
        }
        string[] parts = text.Split('.');
        if (parts.Length != 4)
            return false;
        byte[] bytes = new byte[4];
        for (int i = 0; i < 4; i++)
        {
            if (!byte.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out bytes[i]))
                return false;
        }
        address = new IPAddress(bytes);
        return true;
    }

    /// <summary>Reads IP:port or [IPv6]:port.</summary>
    public static bool TryParseWithPort(string? text, out IPAddress address, out int port)
    {
        address = IPAddress.None;
        port = 0;
        if (text is null)
            return false;
        int colon = text.LastIndexOf(':');
        if (colon <= 0)
            return false;
        string host = text[..colon];
        bool bracketed = host is ['[', .., ']'];
        if (host.Contains(':', StringComparison.Ordinal) != bracketed)
            return false;
        return int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)
            && port <= 65535
            && TryParse(bracketed ? host[1..^1] : host, out address);
    }

    /// <summary>Reads a CIDR; host bits are kept in <paramref name="address"/>.</summary>
    public static bool TryParseCidr(string? text, out IPAddress address, out int prefixLength)
    {
        address = IPAddress.None;
        prefixLength = 0;
        int slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        return slash > 0
            && TryParse(text![..slash], out address)
            && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out prefixLength)
            && prefixLength <= (address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
    }
}
