using System.ComponentModel;
using System.Diagnostics;

namespace NodeAgent.Proxy.Kernel.Sysctls;

/// <summary>Loads what the kernel does not load by itself when it is asked for it: ip_vs, and nf_conntrack for its settings. Schedulers, sets and links it does load.</summary>
public static class KernelModule
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Runs modprobe; null where it succeeded, else what it said.</summary>
    public static async Task<string?> LoadAsync(string module, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("modprobe", [module]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            Task<string> said = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return process.ExitCode == 0 ? null : (await said).Trim();
        }
        catch (Win32Exception e)
        {
            return $"modprobe cannot be run: {e.Message}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"modprobe did not end within {Limit.TotalSeconds:0} s";
        }
    }
}
