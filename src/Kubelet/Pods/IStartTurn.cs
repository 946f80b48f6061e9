namespace NodeAgent.Kubelet.Pods;

/// <summary>A start's place among the few that count at once.</summary>
public interface IStartTurn
{
    /// <summary>An image is being pulled: others may start meanwhile.</summary>
    void Pause();

    /// <summary>The pull is over: takes the place again, before those that have not begun.</summary>
    Task ResumeAsync(CancellationToken cancellationToken);
}
