using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace NodeAgent.Kubelet.Server.SystemLogs;

/// <summary>Runs journalctl. Arguments go as a list; what a request says stands behind an option's "=" or was checked.</summary>
/// <param name="program">journalctl.</param>
internal sealed class JournalReader(string program)
{
    private const int Chunk = 32 * 1024;

    /// <summary>Which of the services write into the journal; none where it cannot be asked.</summary>
    public async Task<IReadOnlyList<string>> KnownAsync(IReadOnlyList<string> services, CancellationToken cancellationToken)
    {
        using MemoryStream output = new();
        if (!await TryCopyAsync(["--field", "_SYSTEMD_UNIT"], (bytes, token) => output.WriteAsync(bytes, token), cancellationToken))
        {
            return [];
        }

        HashSet<string> units = [.. Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.TrimEntries)];
        return [.. services.Where(s => units.Contains(s + ".service"))];
    }

    /// <summary>Copies what the program writes, errors too.</summary>
    /// <returns>False: it could not be started.</returns>
    public async Task<bool> TryCopyAsync(IReadOnlyList<string> arguments, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, CancellationToken cancellationToken)
    {
        Process? process = Start(arguments);
        if (process is null)
        {
            return false;
        }

        using (process)
        {
            try
            {
                process.StandardInput.Close();
                using SemaphoreSlim turn = new(1);
                await Task.WhenAll(
                    CopyAsync(process.StandardOutput.BaseStream, turn, write, cancellationToken), CopyAsync(process.StandardError.BaseStream, turn, write, cancellationToken));
                await process.WaitForExitAsync(cancellationToken);
                return true;
            }
            finally
            {
                if (!process.HasExited)
                {
                    process.Kill(entireProcessTree: true);
                }
            }
        }
    }

    private Process? Start(IReadOnlyList<string> arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false,
            });
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private static async Task CopyAsync(Stream from, SemaphoreSlim turn, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[Chunk];
        for (int read; (read = await from.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            await turn.WaitAsync(cancellationToken);
            try
            {
                await write(buffer.AsMemory(0, read), cancellationToken);
            }
            finally
            {
                turn.Release();
            }
        }
    }
}
