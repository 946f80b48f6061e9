using NodeAgent.Cri.V1;

namespace NodeAgent.FakeCriRuntime;

/// <summary>Plausible, constant usage numbers.</summary>
internal static class FakeStats
{
    public static bool Matches(ContainerStatsFilter? filter, FakeContainer container) =>
        filter is null || ((filter.Id.Length == 0 || filter.Id == container.Status.Id)
            && (filter.PodSandboxId.Length == 0 || filter.PodSandboxId == container.SandboxId)
            && filter.LabelSelector.All(l => container.Status.Labels.TryGetValue(l.Key, out string? value) && value == l.Value));

    public static ContainerStats Of(RuntimeModel model, FakeContainer container) => new()
    {
        Attributes = new ContainerAttributes
        {
            Id = container.Status.Id,
            Metadata = container.Status.Metadata,
            Labels = { container.Status.Labels },
            Annotations = { container.Status.Annotations },
        },
        Cpu = new CpuUsage { Timestamp = model.Now, UsageCoreNanoSeconds = new UInt64Value { Value = 1_000_000 } },
        Memory = new MemoryUsage { Timestamp = model.Now, WorkingSetBytes = new UInt64Value { Value = 1 << 20 } },
        WritableLayer = new FilesystemUsage { Timestamp = model.Now, UsedBytes = new UInt64Value { Value = 4096 }, InodesUsed = new UInt64Value { Value = 1 } },
    };

    public static PodSandboxStats Of(RuntimeModel model, FakeSandbox sandbox) => new()
    {
        Attributes = new PodSandboxAttributes
        {
            Id = sandbox.Status.Id,
            Metadata = sandbox.Status.Metadata,
            Labels = { sandbox.Status.Labels },
            Annotations = { sandbox.Status.Annotations },
        },
        Linux = new LinuxPodSandboxStats
        {
            Containers = { model.Containers.Values.Where(c => c.SandboxId == sandbox.Status.Id).Select(c => Of(model, c)) },
        },
    };

    public static FilesystemUsage ImageFilesystem(RuntimeModel model) => new()
    {
        Timestamp = model.Now,
        FsId = new FilesystemIdentifier { Mountpoint = "/var/lib/fake" },
        UsedBytes = new UInt64Value { Value = (ulong)model.Images.Values.Sum(i => (long)i.Size) },
        InodesUsed = new UInt64Value { Value = (ulong)model.Images.Count },
    };
}
