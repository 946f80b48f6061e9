using System.Runtime.CompilerServices;
using System.Text.Json;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>
/// The static members of a type, for code that types share. Code which names a static member of its type parameter is never compiled
/// ahead of time: here it is these few lines, and not everything that reads JSON.
/// </summary>
/// <typeparam name="T">The type.</typeparam>
internal static class JsonOf<T>
    where T : class, IJsonObject<T>
{
    /// <inheritdoc cref="IJsonObject{TSelf}.Empty"/>
    internal static T Empty
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        get => T.Empty;
    }

    /// <inheritdoc cref="IJsonObject{TSelf}.Read"/>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static T Read(ref Utf8JsonReader reader) => T.Read(ref reader);
}
