using System.Text;

namespace NodeAgent.Kubelet.Containers;

/// <summary>$(VAR) references. Pure. Source: third_party/forked/golang/expansion.</summary>
internal static class VariableExpansion
{
    /// <summary>Replaces $(NAME) by its value; $$ is a dollar; a name that is not known stays as written.</summary>
    public static string Expand(string text, Func<string, string?> value)
    {
        if (!text.Contains('$', StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '$' || i + 1 == text.Length)
            {
                result.Append(text[i]);
                continue;
            }

            if (text[i + 1] == '$')
            {
                result.Append('$');
                i++;
                continue;
            }

            int end = text[i + 1] == '(' ? text.IndexOf(')', i + 2) : -1;
            if (end < 0)
            {
                result.Append('$');
                continue;
            }

            string name = text[(i + 2)..end];
            result.Append(value(name) ?? text[i..(end + 1)]);
            i = end;
        }

        return result.ToString();
    }
}
