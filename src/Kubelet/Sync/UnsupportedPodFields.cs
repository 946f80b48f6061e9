using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sync;

/// <summary>
/// Fields of a pod that this agent does not honour. A pod that uses one waits with a message naming it: it must never run as if
/// the field were not there. Pure.
/// </summary>
public static class UnsupportedPodFields
{
    /// <summary>The first such field the pod uses and why, or null.</summary>
    public static string? Find(Pod pod)
    {
        PodSpec s = pod.Spec;
        return s.HostUsers == false ? Text("spec.hostUsers", "user namespaces")
            : s.ResourceClaims.Count > 0 ? Text("spec.resourceClaims", "dynamic resource allocation")
            : s.Resources is { } r && (r.Limits.Count > 0 || r.Requests.Count > 0) ? Text("spec.resources", "pod-level resources")
            : s.SecurityContext?.WindowsOptions is not null ? Text("spec.securityContext.windowsOptions", "Windows")
            : Volumes(s) ?? Containers(s);
    }

    private static string Text(string field, string what) => $"{field}: {what} not supported by this node agent; remove the field or use another node";

    private static string? Volumes(PodSpec s)
    {
        for (int i = 0; i < s.Volumes.Count; i++)
        {
            Volume v = s.Volumes[i];
            string at = $"spec.volumes[{i}] ({v.Name})";
            bool known = v.EmptyDir is not null || v.HostPath is not null || v.ConfigMap is not null || v.Secret is not null || v.DownwardAPI is not null || v.Projected is not null;
            if (!known)
            {
                return Text(at, "a volume of this type is");
            }

            if (v.Projected?.Sources.Any(p => p.ClusterTrustBundle is not null || p.PodCertificate is not null) == true)
            {
                return Text($"{at}.projected.sources", "clusterTrustBundle and podCertificate are");
            }
        }

        return null;
    }

    private static string? Containers(PodSpec s)
    {
        foreach ((string at, Container c) in s.InitContainers.Select((c, i) => ($"spec.initContainers[{i}]", c)).Concat(s.Containers.Select((c, i) => ($"spec.containers[{i}]", c))))
        {
            string? found = c.VolumeDevices.Count > 0 ? Text($"{at}.volumeDevices", "raw block volumes are")
                : c.Env.Any(e => e.ValueFrom?.FileKeyRef is not null) ? Text($"{at}.env[].valueFrom.fileKeyRef", "environment files are")
                : c.RestartPolicyRules.Any(r => r.Action != "Restart") ? Text($"{at}.restartPolicyRules", "an action other than Restart is")
                : c.Lifecycle?.StopSignal is not null ? Text($"{at}.lifecycle.stopSignal", "stop signals are")
                : c.Resources?.Claims.Count > 0 ? Text($"{at}.resources.claims", "dynamic resource allocation is")
                : c.SecurityContext?.WindowsOptions is not null ? Text($"{at}.securityContext.windowsOptions", "Windows is")
                : c.VolumeMounts.Any(m => m.RecursiveReadOnly is "Enabled") ? Text($"{at}.volumeMounts[].recursiveReadOnly", "Enabled is")
                : null;
            if (found is not null)
            {
                return found;
            }
        }

        return null;
    }
}
