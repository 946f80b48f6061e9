using System.Collections;
using System.Globalization;
using System.Reflection;
using NodeAgent.Kubernetes.Objects;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Tests.Pods;

/// <summary>
/// Pods with anything in any field of the model, valid or not, from a seed: some are sound but for a field or two, some are nonsense from end to
/// end. What the API server vouches for (name, namespace, UID) is sound, and what would leave this process (addresses of hooks, bind mounts) is not made.
/// </summary>
internal sealed class FuzzedPods(int seed)
{
    private const int Deepest = 9;
    private static readonly string[] Words =
    [
        "a", "b", "main", "Always", "Never", "OnFailure", "IfNotPresent", "File", "FallbackToLogsOnError", "None", "Bidirectional", "HostToContainer", "Memory", "HugePages",
        "Localhost", "RuntimeDefault", "Unconfined", "TCP", "UDP", "HTTP", "ClusterFirst", "Default", "linux", "Exists", "In", "NotIn", "NoExecute", "SIGTERM", "SIGUSR1", "cpu", "memory",
        "limits.cpu", "metadata.name", "metadata.labels", "status.podIP", "status.hostIP", "NotRequired", "RestartContainer", "Restart", "RestartAllContainers", "Delegate", "Enabled", "IfPossible",
        "SYS_ADMIN", "ALL", "kernel.shm_rmid_forced", "10.0.0.1", "::1", "1", "0755",
    ];

    private static readonly string[] Nonsense = ["", " ", "\0", "..", "../../etc", "/", "$(", "$(a)", "$(main)$$", "%s{0}", "\u202e", "é", "UPPER", "a b", "a=b", "-1", new('x', 4000), "\ud83d\ude00"];
    private static readonly string[] Amounts = ["0", "1", "100m", "1n", "1500u", "64Mi", "0.5Gi", "8E", "-1", "-100m", "1e18", "9223372036854775807"];
    private static readonly long[] Numbers = [0, 1, 2, 3, 80, 1000, 65535, 65536, -1, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue];
    private static readonly string[] Kept = ["Status", "Uid", "Namespace", "DeletionTimestamp", "DeletionGracePeriodSeconds", "NodeName", "EphemeralContainers"];

    private readonly Random _random = new(seed);
    private double _share, _nonsense;

    /// <summary>The next pod, as it would come from the API server.</summary>
    internal Pod Next(int number)
    {
        (_share, _nonsense) = _random.Next(3) switch { 0 => (0.05, 0.05), 1 => (0.15, 0.3), _ => (0.4, 0.7) };
        string name = string.Create(CultureInfo.InvariantCulture, $"fuzzed-{seed}-{number}");
        var pod = (Pod)Fill(PodCore.Pod(name, containers: _random.Next(2) == 0 ? ["main"] : ["main", "a"], init: _random.Next(3) == 0 ? ["b"] : null), 0);
        pod = pod with
        {
            Metadata = pod.Metadata with { Name = name, Finalizers = [] },
            Spec = pod.Spec with { Containers = [.. pod.Spec.Containers.Select(Confined)], InitContainers = [.. pod.Spec.InitContainers.Select(Confined)] },
        };
        return KubernetesJson.Deserialize<Pod>(KubernetesJson.Serialize(pod));
    }

    /// <summary>The pod with ephemeral containers of any content, as `kubectl debug` and the API server would add them: their names are sound.</summary>
    internal Pod Debugged(Pod pod)
    {
        EphemeralContainer Debugger(int i)
        {
            var made = (EphemeralContainer)Fill(new EphemeralContainer { Name = $"debug-{i}", Image = "busybox:1", TargetContainerName = _random.Next(2) == 0 ? "main" : null }, 2);
            var same = KubernetesJson.Deserialize<Container>(KubernetesJson.Serialize(made));
            Container safe = Confined(same);
            return made with { Name = $"debug-{i}", Lifecycle = safe.Lifecycle, VolumeMounts = safe.VolumeMounts };
        }

        return pod with { Metadata = pod.Metadata with { Generation = pod.Metadata.Generation + 1 }, Spec = pod.Spec with { EphemeralContainers = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(Debugger)] } };
    }

    private static Container Confined(Container c) => c with
    {
        Lifecycle = c.Lifecycle is null ? null : c.Lifecycle with { PostStart = Confined(c.Lifecycle.PostStart), PreStop = Confined(c.Lifecycle.PreStop) },
        VolumeMounts = [.. c.VolumeMounts.Select(m => m with { SubPath = m.SubPath is { Length: > 0 } ? "../" + m.SubPath : m.SubPath, SubPathExpr = m.SubPathExpr is { Length: > 0 } ? "../" + m.SubPathExpr : m.SubPathExpr })],
    };

    private static LifecycleHandler? Confined(LifecycleHandler? h) => h is null ? null : h with { HttpGet = h.HttpGet is null ? null : h.HttpGet with { Host = "127.0.0.1" } };

    /// <summary>The object with some of its fields set or replaced.</summary>
    private object Fill(object value, int depth)
    {
        foreach (PropertyInfo property in value.GetType().GetProperties().Where(p => p.SetMethod is not null && !Kept.Contains(p.Name)))
        {
            object? current = property.GetValue(value);
            if (property.PropertyType.Namespace == typeof(Pod).Namespace && property.PropertyType.IsClass && current is not null)
            {
                Fill(current, depth + 1);
            }
            else if (current is IEnumerable items and not string && items.Cast<object>().FirstOrDefault()?.GetType() is { IsClass: true } type && type.Namespace == typeof(Pod).Namespace)
            {
                foreach (object item in items)
                {
                    Fill(item, depth + 1);
                }
            }
            else if (_random.NextDouble() < (IsVital(property.Name, current) ? _nonsense * 0.15 : _share * (1 - ((double)depth / (Deepest + 1)))) && Make(property.PropertyType, property.Name, depth + 1) is { } made)
            {
                property.SetValue(value, made);
            }
        }

        return value;
    }

    // Without these most pods would come to nothing at the first look.
    private static bool IsVital(string name, object? current) => name is "Name" or "Image" or "Containers" && current is not null;

    private object? Make(Type type, string name, int depth)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type == typeof(string))
        {
            return Text(name);
        }

        if (type == typeof(bool))
        {
            return _random.Next(2) == 0;
        }

        if (type == typeof(int) || type == typeof(long))
        {
            long number = Numbers[_random.Next(Numbers.Length)];
            return type == typeof(int) ? (object)(int)Math.Clamp(number, int.MinValue, int.MaxValue) : number;
        }

        if (type == typeof(Quantity))
        {
            return Quantity.Parse(Amounts[_random.Next(Amounts.Length)]);
        }

        if (type == typeof(IntOrString))
        {
            return _random.Next(2) == 0 ? new IntOrString((int)Math.Clamp(Numbers[_random.Next(Numbers.Length)], int.MinValue, int.MaxValue)) : new IntOrString(Text(name));
        }

        if (type == typeof(DateTimeOffset))
        {
            return DateTimeOffset.UnixEpoch.AddSeconds(_random.Next());
        }

        return type.IsGenericType ? Many(type, name, depth)
            : type.IsClass && type.Namespace == typeof(Pod).Namespace && depth < Deepest && Activator.CreateInstance(type) is { } made ? Fill(made, depth) : null;
    }

    private object? Many(Type type, string name, int depth)
    {
        Type[] arguments = type.GetGenericArguments();
        int count = _random.Next(1, 4);
        if (arguments is [var item] && type == typeof(IReadOnlyList<>).MakeGenericType(item))
        {
            object?[] made = [.. Enumerable.Range(0, count).Select(_ => Make(item, name, depth))];
            var list = Array.CreateInstance(item, made.Count(m => m is not null));
            made.Where(m => m is not null).ToArray().CopyTo((Array)list, 0);
            return list;
        }

        if (arguments is [{ } key, var value] && key == typeof(string) && type == typeof(IReadOnlyDictionary<,>).MakeGenericType(arguments))
        {
            var map = (IDictionary)Activator.CreateInstance(typeof(Dictionary<,>).MakeGenericType(arguments))!;
            for (int i = 0; i < count; i++)
            {
                if (Make(value, name, depth) is { } made)
                {
                    map[Text("key")] = made;
                }
            }

            return map;
        }

        return null;
    }

    private string Text(string name) => _random.NextDouble() < _nonsense ? Nonsense[_random.Next(Nonsense.Length)]
        : name == "Image" ? "busybox:1" : Words[_random.Next(Words.Length)];
}
