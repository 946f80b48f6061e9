using System.Collections.Immutable;
using System.Text;
using NodeAgent.Kubelet.Pods;
using NodeAgent.Kubelet.Volumes;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Rest;
using ApiContainer = NodeAgent.Kubernetes.Objects.Container;

namespace NodeAgent.Kubelet.Containers;

/// <summary>What fieldRef and resourceFieldRef may name.</summary>
/// <param name="PodIPs">The pod's addresses.</param>
/// <param name="HostIPs">The node's.</param>
/// <param name="Allocatable">Limits of a container that has none.</param>
/// <param name="Volumes">The pod's volumes by name.</param>
internal sealed record EnvironmentFacts(
    ImmutableArray<string> PodIPs, ImmutableArray<string> HostIPs, IReadOnlyDictionary<string, Quantity> Allocatable,
    IReadOnlyDictionary<string, MountedVolume> Volumes);

/// <summary>A container's environment: services, then envFrom, then env; later ones win. Source: pkg/kubelet/kubelet_pods.go.</summary>
internal sealed class EnvironmentBuilder(IPodObjectStore objects, IServiceLister services, EnvironmentFiles files)
{
    /// <exception cref="ContainerConfigException">An object, key or field is missing; the message is upstream's.</exception>
    public async Task<IReadOnlyDictionary<string, string>> BuildAsync(Pod pod, ApiContainer c, EnvironmentFacts facts, CancellationToken cancellationToken)
    {
        var result = new Dictionary<string, string>();
        foreach (Service service in Services(pod))
        {
            foreach ((string name, string value) in ServiceEnvironment.Of(service))
            {
                result[name] = value;
            }
        }

        foreach (EnvFromSource source in c.EnvFrom)
        {
            await AddAllAsync(result, pod, source, cancellationToken);
        }

        foreach (EnvVar variable in c.Env)
        {
            if (variable.ValueFrom is { } from && string.IsNullOrEmpty(variable.Value))
            {
                if (await ValueAsync(pod, c, from, facts, cancellationToken) is { } value)
                {
                    result[variable.Name ?? ""] = value;
                }
            }
            else
            {
                result[variable.Name ?? ""] = VariableExpansion.Expand(variable.Value ?? "", n => result.GetValueOrDefault(n));
            }
        }

        return result;
    }

    private IEnumerable<Service> Services(Pod pod)
    {
        if (!services.HasSynced)
        {
            if (!pod.IsStatic)
            {
                throw new ContainerConfigException("services have not yet been read at least once, cannot construct envvars");
            }

            return [];
        }

        IEnumerable<Service> master = services.InNamespace("default").Where(s => s.Metadata.Name == "kubernetes");
        return pod.Spec.EnableServiceLinks == false ? master
            : pod.Metadata.Namespace == "default" ? services.InNamespace("default")
            : [.. master, .. services.InNamespace(pod.Metadata.Namespace ?? "")];
    }

    private async Task AddAllAsync(Dictionary<string, string> result, Pod pod, EnvFromSource source, CancellationToken cancellationToken)
    {
        string ns = pod.Metadata.Namespace ?? "";
        if (source.ConfigMapRef is { } cm)
        {
            foreach ((string key, string value) in await OptionalAsync(() => objects.GetConfigMapAsync(ns, cm.Name ?? "", cancellationToken), cm.Optional, $"configmap \"{cm.Name}\"") is { } map ? map.Data : new Dictionary<string, string>())
            {
                result[source.Prefix + key] = value;
            }
        }
        else if (source.SecretRef is { } secret)
        {
            foreach ((string key, byte[] value) in await OptionalAsync(() => objects.GetSecretAsync(ns, secret.Name ?? "", cancellationToken), secret.Optional, $"secret \"{secret.Name}\"") is { } s ? s.Data : new Dictionary<string, byte[]>())
            {
                result[source.Prefix + key] = Encoding.UTF8.GetString(value);
            }
        }
    }

    private async Task<string?> ValueAsync(Pod pod, ApiContainer c, EnvVarSource from, EnvironmentFacts facts, CancellationToken cancellationToken)
    {
        string ns = pod.Metadata.Namespace ?? "";
        if (from.FieldRef is { } field)
        {
            return FieldReferences.Pod(pod, field.FieldPath ?? "", facts);
        }

        if (from.ResourceFieldRef is { } resource)
        {
            return FieldReferences.Resource(pod, c, resource, facts.Allocatable);
        }

        if (from.ConfigMapKeyRef is { } cm)
        {
            ConfigMap? map = await OptionalAsync(() => objects.GetConfigMapAsync(ns, cm.Name ?? "", cancellationToken), cm.Optional, $"configmap \"{cm.Name}\"");
            return map is null ? null
                : map.Data.TryGetValue(cm.Key ?? "", out string? value) ? value
                : cm.Optional == true ? null : throw new ContainerConfigException($"couldn't find key {cm.Key} in ConfigMap {ns}/{cm.Name}");
        }

        if (from.SecretKeyRef is { } key)
        {
            Secret? secret = await OptionalAsync(() => objects.GetSecretAsync(ns, key.Name ?? "", cancellationToken), key.Optional, $"secret \"{key.Name}\"");
            return secret is null ? null
                : secret.Data.TryGetValue(key.Key ?? "", out byte[]? value) ? Encoding.UTF8.GetString(value)
                : key.Optional == true ? null : throw new ContainerConfigException($"couldn't find key {key.Key} in Secret {ns}/{key.Name}");
        }

        return from.FileKeyRef is { } file ? await files.ValueAsync(facts.Volumes, file, cancellationToken)
            : throw new ContainerConfigException("env[].valueFrom names no source");
    }

    private static async Task<T?> OptionalAsync<T>(Func<Task<T>> get, bool? optional, string what)
        where T : class
    {
        try
        {
            return await get();
        }
        catch (ApiException e) when (e.IsNotFound && optional == true)
        {
            return null;
        }
        catch (KubernetesException e)
        {
            throw new ContainerConfigException(e is ApiException { IsNotFound: true } ? $"{what} not found" : e.Message);
        }
    }
}
