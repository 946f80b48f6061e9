using System.Runtime.CompilerServices;

namespace NodeAgent.Kubernetes.Objects;

/// <summary>How the API server names a kind, for code that kinds share; apart for the reason that <see cref="Serialization.JsonOf{T}"/> tells.</summary>
/// <typeparam name="T">The kind.</typeparam>
internal static class ResourceOf<T>
    where T : class, IKubernetesResource<T>
{
    /// <inheritdoc cref="IKubernetesResource{TSelf}.Resource"/>
    internal static ResourceType<T> Type
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => T.Resource;
    }
}
