using FsCheck;
using FsCheck.Fluent;
using NodeAgent.Kubernetes.Objects;

namespace NodeAgent.Kubernetes.Tests.Patches;

/// <summary>Small pods from a small vocabulary, so that two of them share names often.</summary>
internal static class RandomPods
{
    private static readonly string[] Words = ["a", "b", "c", "d"];

    internal static Gen<Pod> Pods =>
        from labels in Maps
        from finalizers in Names
        from containers in Lists(Container)
        from volumes in Lists(Volume)
        from tolerations in Lists(name => from op in Words2 select new Toleration { Key = name, Operator = op })
        from conditions in Lists(name => from status in Words2 select new PodCondition { Type = name, Status = status })
        from nodeName in Gen.Elements(null, "n1", "n2")
        select new Pod
        {
            Metadata = new() { Name = "p", Labels = labels, Finalizers = finalizers },
            Spec = new() { Containers = containers, Volumes = volumes, Tolerations = tolerations, NodeName = nodeName },
            Status = new() { Conditions = conditions },
        };

    private static Gen<string> Words2 => Gen.Elements("x", "y");

    private static Gen<string[]> Names =>
        from shuffled in Gen.Shuffle(Words)
        from count in Gen.Choose(0, Words.Length)
        select shuffled.Take(count).ToArray();

    private static Gen<IReadOnlyDictionary<string, string>> Maps =>
        from names in Names
        from value in Words2
        select (IReadOnlyDictionary<string, string>)names.ToDictionary(n => n, n => value);

    private static Gen<IReadOnlyList<T>> Lists<T>(Func<string, Gen<T>> item) =>
        from names in Names
        from items in Gen.CollectToArray(names, item)
        select (IReadOnlyList<T>)items;

    private static Gen<Container> Container(string name) =>
        from image in Words2
        from args in Names
        from env in Lists(n => from v in Words2 select new EnvVar { Name = n, Value = v })
        from probe in Gen.Elements(null, new Probe { PeriodSeconds = 1 }, new Probe { TcpSocket = new() { Port = "http" } })
        select new Container { Name = name, Image = image, Args = args, Env = env, LivenessProbe = probe };

    private static Gen<Volume> Volume(string name) => Gen.Elements(
        new Volume { Name = name, EmptyDir = new() },
        new Volume { Name = name, EmptyDir = new() { Medium = "Memory" } },
        new Volume { Name = name, HostPath = new() { Path = "/x" } });
}
