using System.Security.Cryptography;
using System.Text;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Images;

/// <summary>
/// The files under image_manager: an intent while an image is pulled, a record once it was. Shared with the Go kubelet across a swap.
/// While the agent runs nobody else writes there; what is known to be there is kept in memory. Callers take turns.
/// Source: pkg/kubelet/images/pullmanager/fs_pullrecords.go, mem_pullrecords.go.
/// </summary>
internal sealed class PullRecordFolder
{
    private const string Prefix = "sha256-";
    private const string Temporary = ".tmp";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int Kept = 256;
    private readonly Dictionary<string, PulledRecord> _known = [];
    private readonly string _pulling;
    private readonly string _pulled;

    /// <summary>Makes the folders.</summary>
    /// <param name="rootFolder">--root-dir.</param>
    public PullRecordFolder(string rootFolder)
    {
        _pulling = Path.Combine(rootFolder, "image_manager", "pulling");
        _pulled = Path.Combine(rootFolder, "image_manager", "pulled");
        Directory.CreateDirectory(_pulling, OwnerOnly | UnixFileMode.UserExecute);
        Directory.CreateDirectory(_pulled, OwnerOnly | UnixFileMode.UserExecute);
    }

    public void WriteIntent(string image) => Write(_pulling, image, PullRecordFormat.Intent(image));

    public bool HasIntent(string image) => Read(_pulling, image) is { } content && PullRecordFormat.Intent(content) == image;

    public void RemoveIntent(string image) => File.Delete(NameOf(_pulling, image));

    public IEnumerable<string> Intents() => All(_pulling, c => PullRecordFormat.Intent(c));

    /// <summary>Null where there is none.</summary>
    /// <exception cref="FormatException">There is a file, and it is none.</exception>
    public PulledRecord? Get(string imageRef)
    {
        if (_known.TryGetValue(imageRef, out PulledRecord? known))
        {
            return known;
        }

        if (Read(_pulled, imageRef) is not { } content || PullRecordFormat.Pulled(content) is var record && record.ImageRef != imageRef)
        {
            return null;
        }

        Keep(record);
        return record;
    }

    public void Write(PulledRecord record)
    {
        _known.Remove(record.ImageRef);
        Write(_pulled, record.ImageRef, PullRecordFormat.Pulled(record));
        Keep(record);
    }

    public void Remove(PulledRecord record)
    {
        _known.Remove(record.ImageRef);
        File.Delete(NameOf(_pulled, record.ImageRef));
    }

    public IEnumerable<PulledRecord> Records() => All(_pulled, c => PullRecordFormat.Pulled(c));

    private void Keep(PulledRecord record)
    {
        if (_known.Count >= Kept)
        {
            _known.Clear();
        }

        _known[record.ImageRef] = record;
    }

    private static string NameOf(string folder, string key) => Path.Combine(folder, Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))));

    private static byte[]? Read(string folder, string key)
    {
        string path = NameOf(folder, key);
        // Mostly there is none: asked first, for an exception costs more.
        return FileAt.Status(path, followLinks: true) is null ? null : File.ReadAllBytes(path);
    }

    private static void Write(string folder, string key, byte[] content)
    {
        string target = NameOf(folder, key);
        using (var file = new FileStream(target + Temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly }))
        {
            file.Write(content);
        }

        File.Move(target + Temporary, target, overwrite: true);
    }

    /// <summary>Files that are none of ours, half written or broken are left out.</summary>
    private static IEnumerable<T> All<T>(string folder, Func<byte[], T> read)
    {
        foreach (string file in Directory.EnumerateFiles(folder, Prefix + "*").Where(f => !f.EndsWith(Temporary, StringComparison.Ordinal)).ToList())
        {
            T value;
            try
            {
                value = read(File.ReadAllBytes(file));
            }
            catch (Exception e) when (e is FormatException or IOException)
            {
                continue;
            }

            yield return value;
        }
    }
}
