using System.Text;

namespace NodeAgent.Kubelet.Containers;

/// <summary>
/// A file of variables that a container left for others: lines KEY='value', where the quotes may hold several lines, and a # begins a
/// comment. Pure. Source: pkg/kubelet/util/env, KEP-3721.
/// </summary>
internal static class EnvironmentFile
{
    private static readonly char[] Blanks = [' ', '\t'];

    /// <summary>The key's value; null where the file has no such key, or an empty value, which upstream does not tell apart.</summary>
    /// <exception cref="FormatException">A line up to the key is not of this form; the message has its number.</exception>
    public static string? Value(string text, string key)
    {
        string[] lines = text.Split('\n');
        int last = text.EndsWith('\n') ? lines.Length - 1 : lines.Length;
        for (int i = 0; i < last; i++)
        {
            string line = Unended(lines[i]).TrimStart(Blanks);
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            (string name, string rest) = Assignment(line, i + 1);
            if (rest.Length > 0 && Blanks.Contains(rest[0]))
            {
                // As a shell reads it: nothing is assigned.
                if (name == key)
                {
                    return null;
                }

                continue;
            }

            string value = Quoted(lines, last, rest, ref i);
            if (name == key)
            {
                return value.Length == 0 ? null : value;
            }
        }

        return null;
    }

    private static (string Name, string Value) Assignment(string line, int number)
    {
        int equals = line.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? "" : line[..equals];
        return equals < 0 ? throw new FormatException($"line {number}: '=' is missing")
            : name.TrimEnd(Blanks).Length == 0 ? throw new FormatException($"line {number}: the variable has no name")
            : name.TrimEnd(Blanks) != name ? throw new FormatException($"line {number}: white space before '=' is not allowed")
            : (name, line[(equals + 1)..]);
    }

    private static string Quoted(string[] lines, int last, string rest, ref int i)
    {
        int first = i + 1;
        if (!rest.StartsWith('\''))
        {
            throw new FormatException($"line {first}: the value must be enclosed in single quotes");
        }

        var value = new StringBuilder();
        for (rest = rest[1..]; ; rest = Unended(lines[i]))
        {
            int close = rest.IndexOf('\'', StringComparison.Ordinal);
            if (close >= 0)
            {
                string after = rest[(close + 1)..].TrimStart(Blanks);
                return after.Length == 0 || after[0] == '#' ? value.Append(rest, 0, close).ToString()
                    : throw new FormatException($"line {i + 1}: there is something behind the closing quote");
            }

            value.Append(rest).Append('\n');
            if (++i >= last)
            {
                throw new FormatException($"line {first}: the single quote is not closed");
            }
        }
    }

    private static string Unended(string line) => line.EndsWith('\r') ? line[..^1] : line;
}
