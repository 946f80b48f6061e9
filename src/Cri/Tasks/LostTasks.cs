using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using NodeAgent.Cri.Connection;
using NodeAgent.Cri.Containerd.Tasks.V1;
using NodeAgent.Grpc;

namespace NodeAgent.Cri.Tasks;

/// <summary>
/// Removals that containerd refuses because of a task it has lost. A StartContainer whose caller died, or whose time was up, while containerd
/// made the task leaves the task behind, unknown to containerd's CRI service: no call of CRI's ends it, and container and sandbox cannot be
/// removed ("cannot delete running task"). containerd's own tasks service, on the same socket, can.
/// </summary>
/// <param name="connection">The runtime's connection.</param>
public sealed partial class LostTasks(CriConnection connection)
{
    private const string Service = "containerd.services.tasks.v1.Tasks";

    /// <summary>Kill of containerd's tasks service.</summary>
    public static Method<KillRequest, TaskAnswer> Kill { get; } = new(Service, "Kill", KillRequest.Parser, TaskAnswer.Parser);

    /// <summary>Wait: answers when the task has ended.</summary>
    public static Method<TaskRequest, TaskAnswer> Wait { get; } = new(Service, "Wait", TaskRequest.Parser, TaskAnswer.Parser);

    /// <summary>Delete of a task that has ended or was never started.</summary>
    public static Method<TaskRequest, TaskAnswer> Delete { get; } = new(Service, "Delete", TaskRequest.Parser, TaskAnswer.Parser);

    private const uint SigKill = 9;
    // More containers than a pod that loses tasks in earnest has: an answer that stays the same ends it sooner.
    private const int Most = 32;
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    /// <summary>Makes the call again each time a lost task kept it from its end and could be removed.</summary>
    /// <param name="remove">RemoveContainer or RemovePodSandbox, which end what runs.</param>
    /// <param name="isRemoved">
    /// Whether the call removes this container. Refusals quote what pods choose, such as paths: one that names another's task ends nothing.
    /// </param>
    /// <exception cref="CriException">What the call was refused for, where that was no lost task or the task is there to stay.</exception>
    public async Task<T> RemovedAsync<T>(Func<Task<T>> remove, Func<string, Task<bool>> isRemoved)
    {
        string? last = null;
        for (int i = 0; ; i++)
        {
            string id;
            try
            {
                return await remove();
            }
            catch (CriException e) when (i < Most && IdOf(e) is { } lost && lost != last)
            {
                id = lost;
                if (!await isRemoved(id)) throw;
                LogLost(connection.Logger, id, e.Message);
                if (!await EndAsync(id)) throw;
            }

            last = id;
        }
    }

    private async Task<bool> EndAsync(string id)
    {
        var task = new TaskRequest { ContainerId = id };
        try
        {
            await IgnoringGoneAsync(connection.CallContainerdAsync(Kill, "kill_task", EndLimit, new KillRequest { ContainerId = id, Signal = SigKill, All = true }));
            await IgnoringGoneAsync(connection.CallContainerdAsync(Wait, "wait_task", EndLimit, task));
            await IgnoringGoneAsync(connection.CallContainerdAsync(Delete, "delete_task", connection.Limits.Normal, task));
            return true;
        }
        catch (CriException e)
        {
            LogStays(connection.Logger, id, e.Message);
            return false;
        }
    }

    // A task that has ended meanwhile takes no signal; whether it is gone is seen by the removal itself.
    private static async Task IgnoringGoneAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (CriException e) when (e.Kind is CriErrorKind.NotFound or CriErrorKind.FailedPrecondition)
        {
            // The next call tells.
        }
    }

    private static string? IdOf(CriException refusal) =>
        refusal.Kind is CriErrorKind.FailedPrecondition or CriErrorKind.Other && Refusal().Match(refusal.Detail) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex("cannot delete running task ([0-9a-f]{12,128})")]
    private static partial Regex Refusal();

    [LoggerMessage(3301, LogLevel.Warning, "containerd has a task of container {Id} that its CRI service does not know; it is killed and deleted through containerd's tasks service: {Refusal}")]
    private static partial void LogLost(ILogger logger, string id, string refusal);

    [LoggerMessage(3302, LogLevel.Error, "The lost task of container {Id} could not be removed; restart containerd to be rid of it: {Error}")]
    private static partial void LogStays(ILogger logger, string id, string error);
}
