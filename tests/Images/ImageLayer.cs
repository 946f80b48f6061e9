using System.Formats.Tar;

namespace NodeAgent.Images;

/// <summary>The files of an image, written as one layer: an uncompressed tar whose bytes depend on nothing but the content.</summary>
public sealed class ImageLayer
{
    private readonly SortedDictionary<string, PaxTarEntry> _entries = new(StringComparer.Ordinal);

    /// <summary>Adds a folder; parents that are missing come with it, mode 0755.</summary>
    public ImageLayer Folder(string path, UnixFileMode mode = Mode755) => Add(path, new PaxTarEntry(TarEntryType.Directory, Name(path) + "/") { Mode = mode });

    /// <summary>Adds a file with the content given.</summary>
    public ImageLayer File(string path, byte[] content, UnixFileMode mode = Mode644) =>
        Add(path, new PaxTarEntry(TarEntryType.RegularFile, Name(path)) { Mode = mode, DataStream = new MemoryStream(content) });

    /// <summary>Adds a file with the text given.</summary>
    public ImageLayer File(string path, string text) => File(path, System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Adds a program copied from this host.</summary>
    public ImageLayer Program(string path, string from) => File(path, System.IO.File.ReadAllBytes(from), Mode755);

    /// <summary>Adds a symbolic link.</summary>
    public ImageLayer Link(string path, string target) => Add(path, new PaxTarEntry(TarEntryType.SymbolicLink, Name(path)) { LinkName = target });

    /// <summary>The layer as a tar.</summary>
    public byte[] ToTar()
    {
        using MemoryStream buffer = new();
        using (TarWriter writer = new(buffer, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (PaxTarEntry entry in _entries.Values)
            {
                if (entry.DataStream is { } data) data.Position = 0;
                writer.WriteEntry(entry);
            }
        }
        return buffer.ToArray();
    }

    private const UnixFileMode Mode644 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Mode755 = Mode644 | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private ImageLayer Add(string path, PaxTarEntry entry)
    {
        string name = Name(path);
        for (int slash = name.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = name.IndexOf('/', slash + 1))
        {
            string parent = name[..slash];
            if (!_entries.ContainsKey(parent))
                _entries[parent] = Stamp(new PaxTarEntry(TarEntryType.Directory, parent + "/") { Mode = Mode755 });
        }
        _entries[name] = Stamp(entry);
        return this;
    }

    private static PaxTarEntry Stamp(PaxTarEntry entry)
    {
        entry.ModificationTime = DateTimeOffset.UnixEpoch;
        return entry;
    }

    private static string Name(string path) => path.Trim('/');
}
