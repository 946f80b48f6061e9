using Microsoft.Extensions.Logging;
using NodeAgent.Kubelet.Pods;

namespace NodeAgent.Composition;

internal sealed partial class KubeletComposition
{
    [LoggerMessage(1004, LogLevel.Warning, "Image pulls of an earlier life could not be looked up, their images have to be pulled again by those who use them: {Error}")]
    private partial void LogPulls(string error);

    [LoggerMessage(1005, LogLevel.Warning, "The pods' common limit is not in force, it is tried again each minute: {Error}")]
    private partial void LogNotEnforced(string error);

    [LoggerMessage(1004, LogLevel.Warning, "The shares of the Burstable class cannot be set, the next try is in a minute: {Error}")]
    private partial void LogQos(string error);

    [LoggerMessage(1005, LogLevel.Warning, "{Field} cannot be set to {Value} for this process: {Error}")]
    private partial void LogLimit(string field, long value, string error);

    [LoggerMessage(1001, LogLevel.Warning, "Static pod {Pod} is given twice by its source; the second one is dropped")]
    private partial void LogDuplicate(PodRef pod);
}
