namespace NodeAgent.Harness.ControlPlanes;

/// <summary>An API server with its controllers, and the identities it knows.</summary>
public interface IControlPlane
{
    /// <summary>What it is, for summaries.</summary>
    string Description { get; }

    /// <summary>The administrator's kubeconfig.</summary>
    string AdminKubeconfig { get; }

    /// <summary>The node's kubeconfig.</summary>
    string NodeKubeconfig { get; }

    /// <summary>kube-proxy's kubeconfig.</summary>
    string ProxyKubeconfig { get; }

    /// <summary>The authority of client certificates, for the node's own server.</summary>
    string ClientAuthority { get; }

    /// <summary>Whether the API server's process runs.</summary>
    bool IsApiServerUp { get; }

    /// <summary>Starts everything and waits until it is ready.</summary>
    Task StartAsync();

    /// <summary>Stops the API server (and its controllers); state is kept.</summary>
    Task StopAsync();

    /// <summary>Kills the API server alone, at once.</summary>
    Task KillApiServerAsync();

    /// <summary>Kills the API server and its controllers, at once.</summary>
    Task KillAsync();

    /// <summary>Starts what was killed again and waits until the API server is ready.</summary>
    Task StartApiServerAsync();

    /// <summary>Waits until the controllers work again.</summary>
    Task ControllersAreBackAsync();
}
