using System.Text;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>The request of an httpGet probe. Pure. Source: pkg/probe/http/request.go.</summary>
/// <param name="Url">Exact path and query.</param>
/// <param name="Host">The Host header where it is given.</param>
/// <param name="Headers">All other headers.</param>
internal sealed record HttpProbeRequest(Uri Url, string? Host, IReadOnlyList<KeyValuePair<string, string>> Headers)
{
    /// <summary>Makes the request.</summary>
    public static HttpProbeRequest Create(HTTPGetAction action, string podIP, int port, string userAgent = ProbeSupport.UserAgent)
    {
        string scheme = string.IsNullOrEmpty(action.Scheme) ? "http" : action.Scheme.ToLowerInvariant();
        string host = string.IsNullOrEmpty(action.Host) ? podIP : action.Host;
        List<KeyValuePair<string, string>> headers = [];
        string? hostHeader = null;
        foreach (HTTPHeader header in action.HttpHeaders)
        {
            if (header.Name.Equals("Host", StringComparison.OrdinalIgnoreCase))
            {
                hostHeader ??= header.Value;
            }
            else
            {
                headers.Add(new(header.Name, header.Value));
            }
        }

        if (!headers.Exists(h => h.Key.Equals("User-Agent", StringComparison.OrdinalIgnoreCase)))
        {
            headers.Add(new("User-Agent", userAgent));
        }

        int accept = headers.FindIndex(h => h.Key.Equals("Accept", StringComparison.OrdinalIgnoreCase));
        if (accept < 0)
        {
            headers.Add(new("Accept", "*/*"));
        }
        else if (headers[accept].Value.Length == 0)
        {
            headers.RemoveAll(h => h.Key.Equals("Accept", StringComparison.OrdinalIgnoreCase));
        }

        return new HttpProbeRequest(Exact($"{scheme}://{ProbeSupport.Join(host, port)}{PathAndQuery(action.Path ?? "")}"), string.IsNullOrEmpty(hostHeader) ? null : hostHeader, headers);
    }

    /// <summary>A URL whose path is sent as it is written.</summary>
    public static Uri Exact(string url) => new(url, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    /// <summary>The path as it goes over the wire: a slash in front, no fragment, what may not stand in a request line escaped.</summary>
    public static string PathAndQuery(string path)
    {
        int fragment = path.IndexOf('#', StringComparison.Ordinal);
        path = fragment < 0 ? path : path[..fragment];
        var text = new StringBuilder(path.Length + 1);
        if (!path.StartsWith('/'))
        {
            text.Append('/');
        }

        byte[] bytes = Encoding.UTF8.GetBytes(path);
        for (int i = 0; i < bytes.Length; i++)
        {
            byte b = bytes[i];
            bool escape = b is <= (byte)' ' or >= 0x7F or (byte)'"' or (byte)'<' or (byte)'>' or (byte)'\\' or (byte)'^' or (byte)'`' or (byte)'{' or (byte)'|' or (byte)'}'
                || (b == '%' && !(i + 2 < bytes.Length && Uri.IsHexDigit((char)bytes[i + 1]) && Uri.IsHexDigit((char)bytes[i + 2])));
            _ = escape ? text.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture)) : text.Append((char)b);
        }

        return text.ToString();
    }
}
