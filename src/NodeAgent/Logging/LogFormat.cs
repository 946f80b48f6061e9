namespace NodeAgent.Logging;

/// <summary>How lines are written.</summary>
internal enum LogFormat
{
    /// <summary>A priority in angle brackets in front, for the journal.</summary>
    Journal,

    /// <summary>klog's header and text.</summary>
    Text,

    /// <summary>One JSON object a line, with upstream's keys.</summary>
    Json,
}
