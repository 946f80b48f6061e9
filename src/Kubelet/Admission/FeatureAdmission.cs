using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Admission;

/// <summary>What the host and the gates allow.</summary>
/// <param name="AppArmor">The kernel enforces AppArmor profiles.</param>
/// <param name="PodLevelResources">The gate of that name.</param>
public sealed record AdmissionFeatures(bool AppArmor, bool PodLevelResources)
{
    /// <summary>Everything.</summary>
    public static AdmissionFeatures All { get; } = new(true, true);
}

/// <summary>Rejects pods whose AppArmor profile the host cannot enforce; running ones are not looked at again. Source: pkg/security/apparmor/validate.go.</summary>
internal sealed class AppArmorAdmission(bool enabled) : IPodAdmitHandler
{
    private const string Annotation = "container.apparmor.security.beta.kubernetes.io/";
    private const string Unconfined = "Unconfined";

    public AdmitResult Admit(AdmissionRequest request)
    {
        Pod pod = request.Pod;
        if (pod.Status.Phase is not (null or "" or "Pending") || !IsAsked(pod))
        {
            return AdmitResult.Admitted.Instance;
        }

        string? problem = !enabled ? "AppArmor is not enabled on the host" : Profiles(pod).Any(IsNameless) ? "invalid empty AppArmor profile name: \"\"" : null;
        return problem is null ? AdmitResult.Admitted.Instance : new AdmitResult.Rejected("AppArmor", "Cannot enforce AppArmor: " + problem);
    }

    private static bool IsAsked(Pod pod) =>
        Profiles(pod).Any(p => p.Type != Unconfined)
        || pod.Metadata.Annotations.Any(a => a.Key.StartsWith(Annotation, StringComparison.Ordinal) && a.Value != "unconfined");

    private static bool IsNameless(AppArmorProfile profile) => profile.Type == "Localhost" && string.IsNullOrWhiteSpace(profile.LocalhostProfile);

    private static IEnumerable<AppArmorProfile> Profiles(Pod pod)
    {
        IEnumerable<AppArmorProfile?> own = pod.Spec.InitContainers.Concat(pod.Spec.Containers).Select(c => c.SecurityContext?.AppArmorProfile)
            .Concat(pod.Spec.EphemeralContainers.Select(c => c.SecurityContext?.AppArmorProfile));
        IEnumerable<AppArmorProfile?> annotated = pod.Metadata.Annotations
            .Where(a => a.Key.StartsWith(Annotation, StringComparison.Ordinal) && a.Value.StartsWith("localhost/", StringComparison.Ordinal))
            .Select(a => new AppArmorProfile { Type = "Localhost", LocalhostProfile = a.Value["localhost/".Length..] });
        return own.Append(pod.Spec.SecurityContext?.AppArmorProfile).Concat(annotated).OfType<AppArmorProfile>();
    }
}

/// <summary>Rejects pods that use what a gate has switched off. Source: pkg/kubelet/lifecycle/features_linux.go.</summary>
internal sealed class PodFeatureAdmission(bool podLevelResources) : IPodAdmitHandler
{
    public AdmitResult Admit(AdmissionRequest request) =>
        !podLevelResources && request.Pod.Spec.Resources is { } r && r.Requests.Count + r.Limits.Count > 0
            ? new AdmitResult.Rejected("PodLevelResourcesNotSupported", "PodLevelResources feature gate is disabled") : AdmitResult.Admitted.Instance;
}
