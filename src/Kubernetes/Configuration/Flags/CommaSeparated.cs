using System.Text;

namespace NodeAgent.Kubernetes.Configuration.Flags;

/// <summary>One line of comma-separated values, with double quotes as in RFC 4180.</summary>
internal static class CommaSeparated
{
    /// <summary>The fields; empty for an empty text; null when a quote is not closed or stands inside a field.</summary>
    internal static List<string>? Split(string text)
    {
        List<string> fields = [];
        if (text.Length == 0)
            return fields;
        int at = 0;
        while (true)
        {
            StringBuilder field = new();
            if (at < text.Length && text[at] == '"')
            {
                if (!TakeQuoted(text, ref at, field))
                    return null;
            }
            else
            {
                while (at < text.Length && text[at] != ',')
                {
                    if (text[at] == '"')
                        return null;
                    field.Append(text[at++]);
                }
            }
            fields.Add(field.ToString());
            if (at >= text.Length)
                return fields;
            at++;
        }
    }

    private static bool TakeQuoted(string text, ref int at, StringBuilder field)
    {
        for (at++; at < text.Length; at++)
        {
            if (text[at] != '"')
                field.Append(text[at]);
            else if (at + 1 < text.Length && text[at + 1] == '"')
                field.Append(text[++at]);
            else
                return ++at >= text.Length || text[at] == ',';
        }
        return false;
    }
}
