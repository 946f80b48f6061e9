using System.Text.RegularExpressions;

namespace NodeAgent.Kubelet.Images;

/// <summary>Image references. Pure. Source: github.com/distribution/reference, pkg/util/parsers.</summary>
internal static partial class ImageName
{
    /// <summary>The reference with a tag: without tag and digest it means latest. Null where it is no reference.</summary>
    public static string? WithTag(string image)
    {
        if (image.Length > 1024 || !Reference().IsMatch(image))
        {
            return null;
        }

        return image.Contains('@', StringComparison.Ordinal) || image.LastIndexOf(':') > image.LastIndexOf('/') ? image : image + ":latest";
    }

    /// <summary>Registry host and path, as credentials are matched: docker.io for names without a host.</summary>
    public static (string Registry, string Path) Split(string image)
    {
        int slash = image.IndexOf('/', StringComparison.Ordinal);
        string first = slash < 0 ? "" : image[..slash];
        return first.Contains('.', StringComparison.Ordinal) || first.Contains(':', StringComparison.Ordinal) || first == "localhost"
            ? (first, image[(slash + 1)..])
            : ("docker.io", slash < 0 ? "library/" + image : image);
    }

    /// <summary>Registry and path without tag and digest, as credentials are matched: docker.io/library/busybox for busybox:1.</summary>
    public static string Repository(string image)
    {
        (string registry, string path) = Split(WithoutTag(image));
        return $"{(registry == "index.docker.io" ? "docker.io" : registry)}/{(registry is "docker.io" or "index.docker.io" && !path.Contains('/', StringComparison.Ordinal) ? "library/" + path : path)}";
    }

    /// <summary>The name as given, without its tag and digest.</summary>
    public static string WithoutTag(string image)
    {
        int at = image.IndexOf('@', StringComparison.Ordinal);
        string name = at < 0 ? image : image[..at];
        int colon = name.LastIndexOf(':');
        return colon > name.LastIndexOf('/') && !name.EndsWith(']') ? name[..colon] : name;
    }

    [GeneratedRegex(@"\A((localhost|[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]+)?/)?[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*(:[\w][\w.-]{0,127})?(@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?\z")]
    private static partial Regex Reference();
}
