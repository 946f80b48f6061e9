using System.Diagnostics;
using System.Text;
using NodeAgent.Proxy.Rulesets.Iptables;
using NodeAgent.Proxy.Tracking;

namespace NodeAgent.Proxy.Kernel.Iptables;

/// <summary>An iptables program failed; the message has its own words and, for restore, the lines around the refused one.</summary>
public sealed class IptablesException(string message, int exitCode) : Exception(message)
{
    /// <summary>Exit code; 4 means that the xtables lock was not to be had.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>What the proxier needs of the iptables programs.</summary>
public interface IIptablesCommands
{
    /// <summary>The output of iptables-save for all tables that exist, or one.</summary>
    Task<string> SaveAsync(string? table, CancellationToken cancellationToken);

    /// <summary>Feeds iptables-restore --noflush; all of a table's lines take effect or none.</summary>
    Task RestoreAsync(string input, CancellationToken cancellationToken);

    /// <summary>True where the chain exists; null where the lock was not to be had.</summary>
    Task<bool?> HasChainAsync(string table, string chain, CancellationToken cancellationToken);

    /// <summary>A chain's rules as iptables-save prints them, or its first one; "" where there is none or no such chain; null where the lock was not to be had.</summary>
    Task<string?> RulesAsync(string table, string chain, bool first, CancellationToken cancellationToken);
}

/// <summary>Runs the host's iptables programs of one family, whichever of nft and legacy they are. No shell is involved.</summary>
/// <param name="family">The family.</param>
/// <param name="timeout">A run that takes longer is killed and counts as failed.</param>
/// <param name="backend">"" for the host's choice, "nft" or "legacy" to name one.</param>
public sealed class IptablesCommands(IPFamily family, TimeSpan timeout, string backend = "") : IIptablesCommands
{
    private const int LockWaitSeconds = 5, LockTries = 12, LockHeld = 4;
    private readonly string _program = (family == IPFamily.IPv4 ? "iptables" : "ip6tables") + (backend.Length > 0 ? "-" + backend : "");

    /// <summary>Program and arguments put before each call, e.g. to enter a network namespace.</summary>
    public IReadOnlyList<string> Through { get; init; } = [];

    /// <inheritdoc/>
    public Task<string> SaveAsync(string? table, CancellationToken cancellationToken) =>
        RunAsync($"{_program}-save", table is null ? [] : ["-t", table], null, cancellationToken);

    /// <inheritdoc/>
    public Task RestoreAsync(string input, CancellationToken cancellationToken) =>
        RunAsync($"{_program}-restore", ["-w", $"{LockWaitSeconds}", "--noflush", "--counters"], input, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool?> HasChainAsync(string table, string chain, CancellationToken cancellationToken) =>
        // A chain that is there prints itself, rules or not.
        await RulesAsync(table, chain, first: false, cancellationToken) is { } printed ? printed.Length > 0 : null;

    /// <inheritdoc/>
    public async Task<string?> RulesAsync(string table, string chain, bool first, CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync(_program, ["-w", $"{LockWaitSeconds}", "-t", table, "-S", chain, .. first ? ["1"] : Array.Empty<string>()], null, cancellationToken);
        }
        catch (IptablesException e)
        {
            return e.ExitCode == LockHeld ? null : "";
        }
    }

    /// <summary>True where the family's programs are there and the kernel has their tables.</summary>
    /// <exception cref="IptablesException">Somebody holds the xtables lock for long: it cannot be told.</exception>
    public async Task<bool> IsSupportedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await PatientlyAsync(() => RunAsync(_program, ["-w", $"{LockWaitSeconds}", "-t", "nat", "-S", "POSTROUTING"], null, cancellationToken));
            return true;
        }
        catch (IptablesException e) when (e.ExitCode != LockHeld)
        {
            return false;
        }
    }

    /// <summary>What this iptables and this kernel can do; asked without changing any rule.</summary>
    /// <exception cref="IptablesException">The program cannot be run or is too old.</exception>
    public async Task<IptablesAbilities> ProbeAsync(CancellationToken cancellationToken)
    {
        IptablesAbilities.RequireVersion(await RunAsync(_program, ["--version"], null, cancellationToken));
        bool recent = await AcceptsAsync("-m recent --name KUBE-PROBE --rcheck --seconds 10 --reap -j RETURN", cancellationToken);
        bool statistic = await AcceptsAsync("-m statistic --mode random --probability 0.5000000000 -j RETURN", cancellationToken);
        bool random = await AcceptsAsync("-j MASQUERADE --random-fully", cancellationToken);
        bool bpf = await AcceptsAsync($"{Hairpin.Match(family)} -j RETURN", cancellationToken);
        return new IptablesAbilities(recent, statistic, random, bpf, Accounting: false);
    }

    /// <summary>True where rules can count packets.</summary>
    /// <param name="counter">A packet counter that is there.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    public Task<bool> CountsAsync(string counter, CancellationToken cancellationToken) => AcceptsAsync($"-m nfacct --nfacct-name {counter} -j RETURN", cancellationToken);

    /// <summary>Tries a rule in a chain of its own that nothing jumps to; the chain is made and removed within one input, so nothing stays.</summary>
    private async Task<bool> AcceptsAsync(string rule, CancellationToken cancellationToken)
    {
        try
        {
            await PatientlyAsync(() => RestoreAsync($"*nat\n:KUBE-PROBE - [0:0]\n-A KUBE-PROBE {rule}\n-F KUBE-PROBE\n-X KUBE-PROBE\nCOMMIT\n", cancellationToken));
            return true;
        }
        catch (IptablesException e) when (e.ExitCode != LockHeld)
        {
            return false;
        }
    }

    /// <summary>What is asked at the start waits for the lock, each try some seconds: without it a family would seem to be missing.</summary>
    private static async Task PatientlyAsync(Func<Task> ask)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await ask();
                return;
            }
            catch (IptablesException e) when (e.ExitCode == LockHeld && attempt < LockTries)
            {
                // Somebody else is at work.
            }
        }
    }

    private async Task<string> RunAsync(string program, string[] arguments, string? input, CancellationToken cancellationToken)
    {
        string[] command = [.. Through, program, .. arguments];
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        foreach (string argument in command[1..])
        {
            start.ArgumentList.Add(argument);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        using Process process = Start(start);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token), error = process.StandardError.ReadToEndAsync(limit.Token);
            await FeedAsync(process, input, limit.Token);
            await process.WaitForExitAsync(limit.Token);
            string said = (await error).Trim();
            return process.ExitCode == 0 ? await output : throw Failed(program, process.ExitCode, said, input);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            throw new IptablesException($"{program} did not end within {timeout.TotalSeconds:0} s and was stopped", LockHeld);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new IptablesException($"{start.FileName} cannot be run: {e.Message}; install the iptables package", 127);
        }
    }

    private static async Task FeedAsync(Process process, string? input, CancellationToken cancellationToken)
    {
        try
        {
            if (input is not null)
            {
                await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended before it read all: its exit code and words tell why.
        }
    }

    private static IptablesException Failed(string program, int code, string said, string? input)
    {
        var message = new StringBuilder($"{program} exited with {code}: {said}");
        int at = said.IndexOf("line ", StringComparison.Ordinal);
        if (input is not null && at >= 0)
        {
            string digits = new([.. said[(at + 5)..].TakeWhile(char.IsAsciiDigit)]);
            if (int.TryParse(digits, out int line))
            {
                string[] lines = input.Split('\n');
                for (int i = Math.Max(0, line - 4); i < Math.Min(lines.Length, line + 3); i++)
                {
                    message.Append($"\n  {i + 1}: {lines[i]}");
                }
            }
        }

        return new IptablesException(message.ToString(), code);
    }
}
