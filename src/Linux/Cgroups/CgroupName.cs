using System.Collections.Immutable;

namespace NodeAgent.Linux.Cgroups;

/// <summary>How cgroups are made and named.</summary>
public enum CgroupDriver
{
    /// <summary>Folders made directly.</summary>
    Cgroupfs,
    /// <summary>Slices made by systemd.</summary>
    Systemd,
}

/// <summary>A cgroup's name as its parts from the root on, whichever driver makes it. No parts = the root.</summary>
/// <param name="Parts">Each a path segment: not empty, no slash, neither "." nor "..".</param>
public sealed record CgroupName(ImmutableArray<string> Parts)
{
    private const string SliceSuffix = ".slice";

    /// <summary>The root.</summary>
    public static readonly CgroupName Root = new(ImmutableArray<string>.Empty);

    /// <summary>Reads a path such as /kubelet/kubepods.</summary>
    /// <exception cref="ArgumentException">A segment is "." or "..".</exception>
    public static CgroupName Parse(string path)
    {
        CgroupName name = Root;
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            name = name.Child(part);
        }

        return name;
    }

    /// <summary>
    /// Reads the name of a cgroup that others made, as an operator writes it: with the systemd driver a slice such as /system.slice or
    /// /a.slice/a-b.slice (its last part says all), else a path.
    /// </summary>
    /// <exception cref="ArgumentException">A part is "." or "..", or empty.</exception>
    public static CgroupName ParseExisting(string text, CgroupDriver driver)
    {
        if (driver == CgroupDriver.Cgroupfs)
        {
            return Parse(text);
        }

        string unit = text.TrimEnd('/');
        unit = unit[(unit.LastIndexOf('/') + 1)..];
        unit = unit.EndsWith(SliceSuffix, StringComparison.Ordinal) ? unit[..^SliceSuffix.Length] : unit;
        return unit.Split('-').Aggregate(Root, (name, part) => name.Child(part.Replace('_', '-')));
    }

    /// <summary>A cgroup below this one.</summary>
    /// <exception cref="ArgumentException">The part is no path segment.</exception>
    public CgroupName Child(string part)
    {
        if (part.Length is 0 or > 255 || part is "." or ".." || part.AsSpan().IndexOfAny('/', '\0', '\n') >= 0)
        {
            throw new ArgumentException($"\"{part}\" cannot be part of a cgroup name", nameof(part));
        }

        return new CgroupName(Parts.Add(part));
    }

    /// <summary>The path below the cgroup mount, beginning with a slash: plain folders, or nested slices.</summary>
    public string Path(CgroupDriver driver) => driver == CgroupDriver.Cgroupfs ? "/" + string.Join('/', Parts) : SlicePath();

    /// <summary>The slice unit of this cgroup, e.g. kubepods-burstable.slice; "-.slice" for the root.</summary>
    public string SliceUnit() => Parts.IsEmpty ? "-" + SliceSuffix : string.Join('-', Parts.Select(Escape)) + SliceSuffix;

    /// <inheritdoc/>
    public bool Equals(CgroupName? other) => other is not null && Parts.AsSpan().SequenceEqual(other.Parts.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Parts.Length == 0 ? 0 : HashCode.Combine(Parts.Length, Parts[^1]);

    /// <inheritdoc/>
    public override string ToString() => "/" + string.Join('/', Parts);

    // A dash separates levels in slice names, so one inside a part becomes an underscore.
    private static string Escape(string part) => part.Replace('-', '_');

    private string SlicePath()
    {
        string path = "";
        for (int depth = 1; depth <= Parts.Length; depth++)
        {
            path += "/" + new CgroupName(Parts[..depth]).SliceUnit();
        }

        return path.Length == 0 ? "/" : path;
    }
}
