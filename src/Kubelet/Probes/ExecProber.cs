using System.Text;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Probes;

/// <summary>
/// exec: a command in the container. So many start at once, lest a burst of them takes the machine; one that is slow gives its place
/// away after a moment and delays no other. Source: pkg/probe/exec.
/// </summary>
internal sealed class ExecProber(IExecProber runtime, TimeProvider time) : IDisposable
{
    /// <summary>How many may be in their first moment at once.</summary>
    public const int MaximumStarting = 32;

    private static readonly TimeSpan FirstMoment = TimeSpan.FromMilliseconds(500);
    private readonly SemaphoreSlim _starting = new(MaximumStarting);

    /// <summary>One try. The time limit begins when the runtime is called.</summary>
    public async Task<AttemptResult> ProbeAsync(ProbeAttempt attempt, CancellationToken stop)
    {
        IReadOnlyList<string> command = [.. attempt.Handler.Exec!.Command.Select(c => Expand(c, attempt.Container.Env))];
        await _starting.WaitAsync(stop);
        Task<ExecProbeResult> call;
        try
        {
            call = runtime.ExecAsync(attempt.Id, command, attempt.Timeout, stop);
            if (!call.IsCompleted)
            {
                using var ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
                await Task.WhenAny(call, Task.Delay(FirstMoment, time, ended.Token));
                await ended.CancelAsync();
            }
        }
        finally
        {
            _starting.Release();
        }

        return await JudgeAsync(call, command, attempt.Timeout, stop);
    }

    /// <inheritdoc/>
    public void Dispose() => _starting.Dispose();

    private static async Task<AttemptResult> JudgeAsync(Task<ExecProbeResult> call, IReadOnlyList<string> command, TimeSpan timeout, CancellationToken stop)
    {
        try
        {
            ExecProbeResult result = await call;
            if (result.TimedOut)
            {
                return new(AttemptOutcome.Failure, $"command timed out: \"{string.Join(' ', command)}\" timed out after {ProbeSupport.Seconds(timeout)}");
            }

            ReadOnlyMemory<byte> output = result.Output.Length > ProbeSupport.MaximumOutput ? result.Output[..ProbeSupport.MaximumOutput] : result.Output;
            return new(result.ExitCode == 0 ? AttemptOutcome.Success : AttemptOutcome.Failure, Encoding.UTF8.GetString(output.Span));
        }
#pragma warning disable CA1031 // Whatever the runtime failed with, it says nothing of the container.
        catch (Exception e) when (!stop.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return new(AttemptOutcome.Error, e.Message);
        }
    }

    /// <summary>Replaces $(NAME) by plain values of the container's environment; $$ is a dollar; what is unknown stays. Pure.</summary>
    public static string Expand(string text, IReadOnlyList<EnvVar> environment)
    {
        if (!text.Contains('$', StringComparison.Ordinal))
        {
            return text;
        }

        var expanded = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            int close = text[i] == '$' && i + 1 < text.Length && text[i + 1] == '(' ? text.IndexOf(')', i + 2) : -1;
            if (text[i] == '$' && i + 1 < text.Length && text[i + 1] == '$')
            {
                expanded.Append('$');
                i++;
            }
            else if (close > 0)
            {
                string name = text[(i + 2)..close];
                expanded.Append(environment.LastOrDefault(e => e.Name == name && e.ValueFrom is null) is { } found ? found.Value ?? "" : text[i..(close + 1)]);
                i = close;
            }
            else
            {
                expanded.Append(text[i]);
            }
        }

        return expanded.ToString();
    }
}
