using System.Globalization;

namespace NodeAgent.Kubelet.Configuration;

/// <summary>CPU lists as the kernel writes them: 0-3,8.</summary>
public static class CpuList
{
    /// <summary>Reads a list; an empty text is an empty set.</summary>
    public static bool TryParse(string text, out IReadOnlySet<int> cpus)
    {
        ArgumentNullException.ThrowIfNull(text);
        SortedSet<int> set = [];
        cpus = set;
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.Length == 0 && text.Length == 0)
                return true;
            string[] ends = part.Split('-');
            if (ends.Length > 2 || !Number(ends[0], out int first) || !Number(ends[^1], out int last) || last < first || last > 65535)
                return false;
            set.UnionWith(Enumerable.Range(first, last - first + 1));
        }
        return true;
    }

    private static bool Number(string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
