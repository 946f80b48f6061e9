using System.Globalization;

namespace NodeAgent.Proxy.Kernel.Sysctls;

/// <summary>A kernel setting could not be made; the message names file, value, configuration field and remedy.</summary>
public sealed class KernelSettingException(string message, Exception inner) : Exception(message, inner);

/// <summary>One setting that has to have a value.</summary>
/// <param name="File">Path below the root, e.g. proc/sys/net/ipv4/conf/all/route_localnet.</param>
/// <param name="Value">Wanted value.</param>
/// <param name="Field">Configuration field it comes from.</param>
/// <param name="Remedy">What to configure where the kernel refuses.</param>
/// <param name="AtLeast">A larger present value is good too.</param>
/// <param name="TolerateReadOnly">A read-only file system is only worth a warning.</param>
public sealed record KernelSetting(string File, long Value, string Field, string Remedy, bool AtLeast = false, bool TolerateReadOnly = false);

/// <summary>Reads and writes settings below /proc/sys and /sys.</summary>
/// <param name="root">"/" but in tests.</param>
public sealed class KernelSettings(string root = "/")
{
    /// <summary>The present value; null where it cannot be read.</summary>
    public long? Read(string file)
    {
        try
        {
            return long.TryParse(File.ReadAllText(Path.Combine(root, file)).Trim(), NumberStyles.Integer, CultureInfo.InvariantCulture, out long value) ? value : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes the setting unless it has the value already.</summary>
    /// <returns>Null, or the warning where a read-only file system is tolerated.</returns>
    /// <exception cref="KernelSettingException">The kernel refuses.</exception>
    public string? Ensure(KernelSetting setting)
    {
        long? now = Read(setting.File);
        if (now == setting.Value || (setting.AtLeast && now > setting.Value))
        {
            return null;
        }

        string path = Path.Combine(root, setting.File);
        try
        {
            // Truncation means nothing in proc; a file that is not there may not be made either.
            using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 1);
            file.Write(System.Text.Encoding.ASCII.GetBytes(setting.Value.ToString(CultureInfo.InvariantCulture)));
            file.Flush();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string message = $"{setting.Field}: {path} cannot be set to {setting.Value} (it is {now?.ToString(CultureInfo.InvariantCulture) ?? "not readable"}): {e.Message}; {setting.Remedy}";
            return setting.TolerateReadOnly && now is not null && e.HResult == ReadOnlyFileSystem ? message : throw new KernelSettingException(message, e);
        }
    }

    private const int ReadOnlyFileSystem = 30;
}
