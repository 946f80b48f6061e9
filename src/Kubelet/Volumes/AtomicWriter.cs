using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using NodeAgent.Linux.Files;

namespace NodeAgent.Kubelet.Volumes;

/// <summary>
/// Writes a set of files so that readers see all of the old or all of the new: content lies in a timestamped folder, "..data" points
/// to it and is swapped by one rename, and what users see are links through "..data". The layout is upstream's, so that either
/// agent can continue where the other left off. Source: pkg/volume/util/atomic_writer.go.
/// </summary>
/// <remarks>Blocking; one caller at a time for a folder.</remarks>
internal static class AtomicWriter
{
    private const string DataLink = "..data";
    private const string NewDataLink = "..data_tmp";
    private const int FolderMode = 0x1ED;
    private const int LargestFile = 64 * 1024 * 1024;
    private const ResolveFlags Inside = ResolveFlags.Beneath | ResolveFlags.NoSymlinks | ResolveFlags.NoCrossing;

    /// <summary>Brings the folder to the payload; true where anything was written.</summary>
    /// <param name="target">The volume's folder; exists.</param>
    /// <param name="payload">Files by path.</param>
    /// <param name="now">For the name of the folder.</param>
    /// <param name="beforePublish">Called when the new content is there but not yet visible.</param>
    public static bool Write(
        string target, IReadOnlyDictionary<string, FileProjection> payload, DateTimeOffset now, Action? beforePublish)
    {
        SortedDictionary<string, FileProjection> files = PayloadPaths.Clean(payload);
        using SafeFileHandle root = FileAt.OpenDirectory(target);
        string? old = FileAt.ReadSymbolicLink(root, DataLink);
        if (old is not null && !Segments.IsSafe(old))
        {
            throw new IOException($"{target}/{DataLink} points to \"{old}\", which is not a folder beside it; remove the link");
        }

        HashSet<string> outdated = old is null ? [] : Outdated(root, old, files);
        bool write = old is null || outdated.Count > 0 || Differs(root, old, files);
        if (write)
        {
            Publish(root, files, now, beforePublish);
        }

        LinkVisible(root, files.Keys);
        RemoveVisible(root, outdated);
        RemoveStale(root);
        return write;
    }

    private static void Publish(SafeFileHandle root, SortedDictionary<string, FileProjection> files, DateTimeOffset now, Action? beforePublish)
    {
        string name = now.UtcDateTime.ToString("'..'yyyy_MM_dd_HH_mm_ss'.'", CultureInfo.InvariantCulture)
            + RandomNumberGenerator.GetInt32(int.MaxValue).ToString(CultureInfo.InvariantCulture);
        if (!FileAt.MakeDirectory(root, name, FolderMode))
        {
            throw new IOException($"{name} exists already");
        }

        try
        {
            using (SafeFileHandle folder = FileAt.Open(root, name, OpenFlags.Directory, Inside))
            {
                foreach ((string path, FileProjection file) in files)
                {
                    MakeParents(folder, path);
                    FileAt.WriteNew(folder, path, file.Data.Span, file.Mode, file.Owner, flush: false);
                }
            }

            beforePublish?.Invoke();
            // One may be left from an end by force.
            FileAt.Remove(root, NewDataLink, directory: false);
            FileAt.MakeSymbolicLink(root, NewDataLink, name);
            FileAt.Rename(root, NewDataLink, root, DataLink);
        }
        catch
        {
            TreeRemover.Remove(root, name);
            throw;
        }
    }

    private static void MakeParents(SafeFileHandle folder, string path)
    {
        for (int slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
        {
            string parent = path[..slash];
            int above = parent.LastIndexOf('/');
            using SafeFileHandle at = FileAt.Open(folder, above < 0 ? "." : parent[..above], OpenFlags.Directory, Inside);
            FileAt.MakeDirectory(at, parent[(above + 1)..], FolderMode);
        }
    }

    private static bool Differs(SafeFileHandle root, string old, SortedDictionary<string, FileProjection> files)
    {
        using SafeFileHandle? folder = FileAt.OpenIfExists(root, old, OpenFlags.Directory, Inside);
        return folder is null || files.Any(f => FileAt.Read(folder, f.Key, Inside, LargestFile) is not { } there || !there.AsSpan().SequenceEqual(f.Value.Data.Span));
    }

    // Paths of the old content, folders included, that the new one has not.
    private static HashSet<string> Outdated(SafeFileHandle root, string old, SortedDictionary<string, FileProjection> files)
    {
        var outdated = new HashSet<string>(StringComparer.Ordinal);
        using SafeFileHandle? folder = FileAt.OpenIfExists(root, old, OpenFlags.Directory, Inside);
        if (folder is null)
        {
            return outdated;
        }

        List(folder, "", outdated);
        foreach (string path in files.Keys)
        {
            for (string at = path; at.Length > 0; at = at.LastIndexOf('/') is var slash and > 0 ? at[..slash] : "")
            {
                outdated.Remove(at);
            }
        }

        return outdated;
    }

    private static void List(SafeFileHandle folder, string prefix, HashSet<string> into)
    {
        foreach (string name in FileAt.List(folder))
        {
            into.Add(prefix + name);
            if (FileAt.Status(folder, name)?.Kind == FileKind.Directory)
            {
                using SafeFileHandle inner = FileAt.Open(folder, name, OpenFlags.Directory, Inside);
                List(inner, prefix + name + "/", into);
            }
        }
    }

    private static void LinkVisible(SafeFileHandle root, IEnumerable<string> paths)
    {
        foreach (string first in paths.Select(p => p.Split('/')[0]).Distinct(StringComparer.Ordinal))
        {
            FileAt.MakeSymbolicLink(root, first, $"{DataLink}/{first}");
        }
    }

    private static void RemoveVisible(SafeFileHandle root, IEnumerable<string> outdated)
    {
        foreach (string first in outdated.Where(p => !p.Contains('/', StringComparison.Ordinal)))
        {
            if (FileAt.ReadSymbolicLink(root, first) is not null)
            {
                FileAt.Remove(root, first, directory: false);
            }
        }
    }

    // All timestamped folders but the one in use: the previous, and what an end by force left.
    private static void RemoveStale(SafeFileHandle root)
    {
        string? current = FileAt.ReadSymbolicLink(root, DataLink);
        foreach (string name in FileAt.List(root))
        {
            if (name.Length > 4 && name.StartsWith("..2", StringComparison.Ordinal) && name != current)
            {
                TreeRemover.Remove(root, name);
            }
        }
    }
}
