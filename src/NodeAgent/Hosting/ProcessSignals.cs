using System.Runtime.InteropServices;

namespace NodeAgent.Hosting;

/// <summary>SIGTERM and SIGINT ask for an orderly end, a second one ends at once; SIGHUP is ignored.</summary>
internal sealed class ProcessSignals : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly PosixSignalRegistration[] registrations;
    private readonly Action<int> exit;

    /// <param name="exit">Ends the process with an exit code, without clean-up.</param>
    internal ProcessSignals(Action<int> exit)
    {
        this.exit = exit;
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true),
        ];
    }

    /// <summary>Cancelled by the first signal.</summary>
    internal CancellationToken Stopping => stop.Token;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
            registration.Dispose();
        stop.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        if (stop.IsCancellationRequested)
            exit(1);
        else
            stop.Cancel();
    }
}
