using Google.Protobuf;
using NodeAgent.Grpc;

namespace NodeAgent.FakeCriRuntime;

/// <summary>One call the fake has received.</summary>
/// <param name="Method">CRI name, e.g. StartContainer.</param>
/// <param name="Request">The request as received.</param>
/// <param name="Started">When it came.</param>
public sealed record RecordedCall(string Method, IMessage Request, DateTimeOffset Started)
{
    /// <summary>When its answer was ready; null while it is under way.</summary>
    public DateTimeOffset? Ended { get; internal set; }

    /// <summary>The answer's code; null while it is under way.</summary>
    public StatusCode? Result { get; internal set; }
}
