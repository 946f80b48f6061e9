using System.Text.RegularExpressions;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubelet.Sources;

/// <summary>A static pod could not be used; the message names its origin, the field and the remedy.</summary>
/// <param name="origin">File or URL as it may be shown.</param>
/// <param name="problem">Field and remedy.</param>
/// <param name="inner">The cause.</param>
public sealed class StaticPodException(string origin, string problem, Exception? inner = null)
    : Exception($"static pod of {origin}: {problem}", inner);

/// <summary>Where a static pod's manifest is from.</summary>
/// <param name="Kind">File or Http.</param>
/// <param name="Location">Full path or URL; part of the UID.</param>
/// <param name="Shown">The location as messages name it, without anything secret.</param>
internal sealed record StaticPodOrigin(PodSourceKind Kind, string Location, string Shown)
{
    public static StaticPodOrigin File(string path) => new(PodSourceKind.File, path, "file " + path);

    /// <summary>User names, passwords and queries of URLs stay out of messages.</summary>
    public static StaticPodOrigin Url(Uri url) => new(PodSourceKind.Http, url.ToString(), "URL " + url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped));
}

/// <summary>Makes a static pod of a manifest. Pure. Source: pkg/kubelet/config/common.go, file.go.</summary>
internal static partial class StaticPodDecoder
{
    /// <summary>Decodes, defaults, checks and names the pod.</summary>
    /// <param name="origin">Where the manifest is from.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="node">The node's name.</param>
    /// <param name="seen">First sight.</param>
    public static Pod Complete(StaticPodOrigin origin, StaticPodManifest manifest, string node, DateTimeOffset seen)
    {
        Check(origin.Shown, manifest.Pod);
        Pod pod = PodDefaults.Apply(manifest.Pod);
        ObjectMeta meta = pod.Metadata;
        string uid = meta.Uid is { Length: > 0 } given ? given : StaticPodUid.Of(origin, pod, manifest.Json, node);
        var annotations = new Dictionary<string, string>(meta.Annotations)
        {
            [PodIdentityExtensions.ConfigHashAnnotation] = uid,
            [PodIdentityExtensions.ConfigSourceAnnotation] = origin.Kind == PodSourceKind.Http ? "http" : "file",
            [PodIdentityExtensions.ConfigSeenAnnotation] = seen.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff00K", null),
        };
        return pod with
        {
            Metadata = meta with
            {
                Name = $"{meta.Name}-{node.ToLowerInvariant()}",
                Namespace = meta.Namespace is { Length: > 0 } ns ? ns : "default",
                Uid = uid,
                Annotations = annotations,
            },
            Spec = pod.Spec with
            {
                NodeName = node,
                Tolerations = origin.Kind == PodSourceKind.Http ? pod.Spec.Tolerations
                    : [.. pod.Spec.Tolerations, new Toleration { Operator = "Exists", Effect = "NoExecute" }],
            },
            Status = new PodStatus { Phase = "Pending" },
        };
    }

    private static void Check(string file, Pod pod)
    {
        if (pod.Kind is { Length: > 0 } kind && kind != "Pod")
        {
            throw new StaticPodException(file, $"kind is \"{kind}\"; only Pod can be static");
        }

        if (pod.ApiVersion is { Length: > 0 } version && version != "v1")
        {
            throw new StaticPodException(file, $"apiVersion is \"{version}\"; write v1");
        }

        if (pod.Metadata.Uid is { Length: > 0 } uid && !new PodUid(uid).IsPathSafe)
        {
            throw new StaticPodException(file, $"metadata.uid \"{uid}\" must be 1 to 128 letters, digits, '.', '_' or '-'");
        }

        if (pod.MirrorHash is not null)
        {
            throw new StaticPodException(file, $"metadata.annotations has {PodIdentityExtensions.ConfigMirrorAnnotation}, which only the API server's copy of a static pod has; take it out");
        }

        CheckName(file, "metadata.name", pod.Metadata.Name, Subdomain(), 253);
        if (pod.Metadata.Namespace is { Length: > 0 } ns)
        {
            CheckName(file, "metadata.namespace", ns, Label(), 63);
        }

        if (pod.Spec.Containers.Count == 0)
        {
            throw new StaticPodException(file, "spec.containers is empty; give at least one container");
        }

        var names = new HashSet<string>();
        foreach ((string path, Container c) in Containers(pod))
        {
            CheckName(file, $"{path}.name", c.Name, Label(), 63);
            if (!names.Add(c.Name!))
            {
                throw new StaticPodException(file, $"{path}.name \"{c.Name}\" is used twice");
            }

            if (string.IsNullOrWhiteSpace(c.Image))
            {
                throw new StaticPodException(file, $"{path}.image is required");
            }

            if (c.VolumeMounts.FirstOrDefault(m => !pod.Spec.Volumes.Any(v => v.Name == m.Name)) is { } stray)
            {
                throw new StaticPodException(file, $"{path}.volumeMounts names volume \"{stray.Name}\", which spec.volumes does not have");
            }
        }

        CheckReferences(file, pod);
    }

    private static IEnumerable<(string Path, Container Container)> Containers(Pod pod) =>
        pod.Spec.InitContainers.Select((c, i) => ($"spec.initContainers[{i}]", c))
            .Concat(pod.Spec.Containers.Select((c, i) => ($"spec.containers[{i}]", c)));

    /// <summary>Static pods run without the API server, so they may not name objects that live there.</summary>
    private static void CheckReferences(string file, Pod pod)
    {
        string? forbidden = pod.Spec.ServiceAccountName is { Length: > 0 } ? "serviceaccounts"
            : pod.Spec.ImagePullSecrets.Count > 0 || pod.Spec.Volumes.Any(v => v.Secret is not null) ? "secrets"
            : pod.Spec.Volumes.Any(v => v.ConfigMap is not null) ? "configmaps"
            : pod.Spec.Volumes.Any(v => v.PersistentVolumeClaim is not null) ? "persistentvolumeclaims"
            : pod.Spec.ResourceClaims.Count > 0 ? "resourceclaims"
            : Containers(pod).Any(c => c.Container.EnvFrom.Any(e => e.SecretRef is not null) || c.Container.Env.Any(e => e.ValueFrom?.SecretKeyRef is not null)) ? "secrets"
            : Containers(pod).Any(c => c.Container.EnvFrom.Any(e => e.ConfigMapRef is not null) || c.Container.Env.Any(e => e.ValueFrom?.ConfigMapKeyRef is not null)) ? "configmaps"
            : null;
        if (forbidden is not null)
        {
            throw new StaticPodException(file, $"static pods may not reference {forbidden}");
        }
    }

    private static void CheckName(string file, string field, string? name, Regex form, int length)
    {
        if (string.IsNullOrEmpty(name))
        {
            throw new StaticPodException(file, $"{field} is required");
        }

        if (name.Length > length || !form.IsMatch(name))
        {
            throw new StaticPodException(file, $"{field} \"{name}\" must be lower-case letters, digits and '-', at most {length} characters");
        }
    }

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z")]
    private static partial Regex Label();

    [GeneratedRegex(@"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z")]
    private static partial Regex Subdomain();
}
