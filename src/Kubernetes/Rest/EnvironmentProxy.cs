using System.Globalization;
using System.Net;

namespace NodeAgent.Kubernetes.Rest;

/// <summary>HTTPS_PROXY, HTTP_PROXY and NO_PROXY as Go reads them: with CIDRs, ports and domain suffixes; never for loopback.</summary>
internal sealed class EnvironmentProxy(Uri? httpProxy, Uri? httpsProxy, string noProxy) : IWebProxy
{
    private readonly string[] _exceptions = noProxy.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    public ICredentials? Credentials { get; set; }

    internal static EnvironmentProxy FromEnvironment() =>
        new(Read("HTTP_PROXY"), Read("HTTPS_PROXY"), Variable("NO_PROXY") ?? "");

    public Uri? GetProxy(Uri destination) => destination.Scheme == Uri.UriSchemeHttps ? httpsProxy : httpProxy;

    public bool IsBypassed(Uri host) =>
        GetProxy(host) is null || host.IsLoopback || _exceptions.Any(exception => Matches(exception, host));

    private static bool Matches(string exception, Uri host)
    {
        if (exception == "*")
            return true;
        string name = host.Host.Trim('[', ']');
        if (IPAddress.TryParse(name, out IPAddress? address))
        {
            if (exception.Contains('/', StringComparison.Ordinal))
                return IsInside(exception, address);
            return IPEndPoint.TryParse(exception, out IPEndPoint? point)
                && point.Address.Equals(address) && (point.Port == 0 || point.Port == host.Port);
        }
        int colon = exception.LastIndexOf(':');
        if (colon > 0)
        {
            if (exception[(colon + 1)..] != host.Port.ToString(CultureInfo.InvariantCulture))
                return false;
            exception = exception[..colon];
        }
        string suffix = exception.TrimStart('*');
        return suffix.StartsWith('.')
            ? name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
            : name.Equals(suffix, StringComparison.OrdinalIgnoreCase) || name.EndsWith('.' + suffix, StringComparison.OrdinalIgnoreCase);
    }

    // Go takes 10.0.0.1/8 for 10.0.0.0/8; IPNetwork does not.
    private static bool IsInside(string cidr, IPAddress address)
    {
        string[] parts = cidr.Split('/', 2);
        if (!IPAddress.TryParse(parts[0], out IPAddress? network) || network.AddressFamily != address.AddressFamily
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int length))
            return false;
        byte[] a = network.GetAddressBytes(), b = address.GetAddressBytes();
        if (length > a.Length * 8)
            return false;
        for (int i = 0; i < length; i++)
        {
            if (((a[i / 8] ^ b[i / 8]) & (0x80 >> (i % 8))) != 0)
                return false;
        }
        return true;
    }

    private static Uri? Read(string variable)
    {
        string? text = Variable(variable);
        if (string.IsNullOrWhiteSpace(text))
            return null;
        return Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : "http://" + text, UriKind.Absolute, out Uri? uri) ? uri : null;
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } upper ? upper : Environment.GetEnvironmentVariable(name.ToLowerInvariant());
}
