namespace NodeAgent.Grpc;

/// <summary>The gRPC status codes, with their numbers on the wire (gRPC "Status codes and their use").</summary>
public enum StatusCode
{
    /// <summary>Success.</summary>
    OK = 0,
    /// <summary>The call was cancelled.</summary>
    Cancelled = 1,
    /// <summary>No better code is known.</summary>
    Unknown = 2,
    /// <summary>The request itself is wrong.</summary>
    InvalidArgument = 3,
    /// <summary>The deadline passed before the call ended.</summary>
    DeadlineExceeded = 4,
    /// <summary>What was asked for does not exist.</summary>
    NotFound = 5,
    /// <summary>What was to be created exists.</summary>
    AlreadyExists = 6,
    /// <summary>The caller may not do this.</summary>
    PermissionDenied = 7,
    /// <summary>A limit was reached, the message size among them.</summary>
    ResourceExhausted = 8,
    /// <summary>The system is not in the state the call needs.</summary>
    FailedPrecondition = 9,
    /// <summary>The call was broken off by a conflict.</summary>
    Aborted = 10,
    /// <summary>Past the valid range.</summary>
    OutOfRange = 11,
    /// <summary>The peer does not serve this method.</summary>
    Unimplemented = 12,
    /// <summary>An invariant broke, the protocol's own among them.</summary>
    Internal = 13,
    /// <summary>The peer cannot be reached now; a retry may help.</summary>
    Unavailable = 14,
    /// <summary>Data is lost.</summary>
    DataLoss = 15,
    /// <summary>The caller is not known.</summary>
    Unauthenticated = 16,
}
