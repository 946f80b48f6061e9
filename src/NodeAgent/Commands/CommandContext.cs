using NodeAgent.Hosting;

namespace NodeAgent.Commands;

/// <summary>What commands use of the process.</summary>
/// <param name="Output">For results.</param>
/// <param name="Error">For messages before logging has been set up.</param>
/// <param name="Time">The clock.</param>
/// <param name="Faces">Makes the halves.</param>
internal sealed record CommandContext(TextWriter Output, TextWriter Error, TimeProvider Time, IFaceFactory Faces);

/// <summary>The process's exit codes.</summary>
internal static class ExitCodes
{
    internal const int Success = 0;

    /// <summary>As the Go components: any error.</summary>
    internal const int Failure = 1;
}
