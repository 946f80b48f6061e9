using System.Text;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>The page that lists a folder, as Go's file server writes it. Pure.</summary>
internal static class LogFolderPage
{
    private const string Unescaped = "-_.~$&+,/:;=@";

    /// <summary>Writes it.</summary>
    /// <param name="names">Entries, folders with a slash behind.</param>
    public static string Write(IReadOnlyList<string> names)
    {
        StringBuilder page = new("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
        foreach (string name in names)
        {
            page.Append("<a href=\"").Append(Address(name)).Append("\">").Append(Shown(name)).Append("</a>\n");
        }

        return page.Append("</pre>\n").ToString();
    }

    private static string Address(string name)
    {
        StringBuilder address = new();
        foreach (byte b in Encoding.UTF8.GetBytes(name))
        {
            bool plain = char.IsAsciiLetterOrDigit((char)b) || Unescaped.Contains((char)b, StringComparison.Ordinal);
            address.Append(plain ? ((char)b).ToString() : $"%{b:X2}");
        }

        // A colon in the first element would make it a scheme.
        string written = address.ToString();
        return written.Split('/')[0].Contains(':', StringComparison.Ordinal) ? "./" + written : written;
    }

    private static string Shown(string name) => name.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal);
}
