namespace NodeAgent.Linux.Cgroups;

/// <summary>The file operations the cgroup tree needs; a fake kernel implements them in tests.</summary>
public interface ICgroupFiles
{
    /// <summary>True where the folder exists.</summary>
    bool FolderExists(string path);

    /// <summary>True where the file exists.</summary>
    bool FileExists(string path);

    /// <summary>Makes one folder; an existing one is no error.</summary>
    void MakeFolder(string path);

    /// <summary>rmdir. False where processes or children are left inside; a missing folder is no error.</summary>
    bool RemoveFolder(string path);

    /// <summary>Names of the folders inside; empty where there is no such folder.</summary>
    IReadOnlyList<string> Folders(string path);

    /// <summary>Reads a file whole; "" where it is gone.</summary>
    string Read(string path);

    /// <summary>Writes a value in one write call.</summary>
    /// <exception cref="IOException">The kernel refused it.</exception>
    void Write(string path, string value);

    /// <summary>Sends SIGKILL; a process that is gone is no error.</summary>
    void Kill(int pid);
}

/// <summary>The real files.</summary>
public sealed partial class CgroupFiles : ICgroupFiles
{
    /// <inheritdoc/>
    public bool FolderExists(string path) => Directory.Exists(path);

    /// <inheritdoc/>
    public bool FileExists(string path) => File.Exists(path);

    /// <inheritdoc/>
    public void MakeFolder(string path) => Directory.CreateDirectory(path);

    /// <inheritdoc/>
    public bool RemoveFolder(string path)
    {
        // Directory.Delete would look at the control files as contents, so the system call is made as it is.
        if (RemoveDirectory(path) == 0)
        {
            return true;
        }

        int error = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
        return error switch
        {
            2 => true,
            16 or 39 => false,
            _ => throw new IOException($"rmdir \"{path}\": {new System.ComponentModel.Win32Exception(error).Message}", error),
        };
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Folders(string path)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(path).Select(d => Path.GetFileName(d))];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    /// <inheritdoc/>
    public string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return "";
        }
        catch (IOException e) when (e.HResult == 19)
        {
            return ""; // ENODEV: the cgroup went away while its file was open
        }
    }

    /// <inheritdoc/>
    public void Write(string path, string value)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Write(System.Text.Encoding.ASCII.GetBytes(value));
    }

    /// <inheritdoc/>
    public void Kill(int pid) => _ = SendSignal(pid, 9);

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "rmdir", SetLastError = true, StringMarshalling = System.Runtime.InteropServices.StringMarshalling.Utf8)]
    private static partial int RemoveDirectory(string path);

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);
}
