using NodeAgent.Linux.Cgroups;

namespace NodeAgent.Linux.Tests.Cgroups;

/// <summary>A cgroup v2 kernel over a temporary folder: new folders get the control files their parent hands down; rmdir refuses what is not empty.</summary>
internal sealed class FakeCgroupV2 : ICgroupFiles, IDisposable
{
    private static readonly Dictionary<string, string[]> Files = new()
    {
        ["cpu"] = ["cpu.weight", "cpu.max"],
        ["memory"] = ["memory.max"],
        ["pids"] = ["pids.max"],
        ["hugetlb"] = ["hugetlb.2MB.max"],
    };

    public FakeCgroupV2()
    {
        Root = Directory.CreateTempSubdirectory("fake-cgroup-").FullName;
        File.WriteAllText(Root + "/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
        File.WriteAllText(Root + "/cgroup.subtree_control", "memory pids\n");
        File.WriteAllText(Root + "/cgroup.procs", "");
    }

    public string Root { get; }

    public List<string> Writes { get; } = [];

    public HashSet<string> RefusedControllers { get; } = [];

    public CgroupTree Tree(TimeProvider? time = null) =>
        new(new CgroupMounts(CgroupVersion.V2, System.Collections.Immutable.ImmutableSortedDictionary<string, string>.Empty.Add("", Root)), this, time ?? TimeProvider.System);

    public bool FolderExists(string path) => Directory.Exists(path);

    public bool FileExists(string path) => File.Exists(path);

    public void MakeFolder(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }

        Directory.CreateDirectory(path);
        string handedDown = File.ReadAllText(Path.GetDirectoryName(path) + "/cgroup.subtree_control");
        File.WriteAllText(path + "/cgroup.controllers", handedDown);
        File.WriteAllText(path + "/cgroup.subtree_control", "");
        File.WriteAllText(path + "/cgroup.procs", "");
        File.WriteAllText(path + "/cgroup.kill", "");
        AddFiles(path, handedDown);
    }

    public bool RemoveFolder(string path)
    {
        if (!Directory.Exists(path))
        {
            return true;
        }

        if (Directory.GetDirectories(path).Length > 0 || File.ReadAllText(path + "/cgroup.procs").Length > 0)
        {
            return false;
        }

        Directory.Delete(path, recursive: true);
        return true;
    }

    public IReadOnlyList<string> Folders(string path) =>
        Directory.Exists(path) ? [.. Directory.GetDirectories(path).Select(d => Path.GetFileName(d)!)] : [];

    public string Read(string path) => File.Exists(path) ? File.ReadAllText(path) : "";

    public void Write(string path, string value)
    {
        Writes.Add($"{path[Root.Length..]}={value}");
        string folder = Path.GetDirectoryName(path)!;
        switch (Path.GetFileName(path))
        {
            case "cgroup.subtree_control":
                string controller = value.TrimStart('+');
                if (RefusedControllers.Contains(controller))
                {
                    throw new IOException("Device or resource busy");
                }

                File.AppendAllText(path, controller + " ");
                foreach (string child in Directory.GetDirectories(folder))
                {
                    File.AppendAllText(child + "/cgroup.controllers", " " + controller);
                    AddFiles(child, controller);
                }

                break;
            case "cgroup.kill":
                foreach (string procs in Directory.GetFiles(folder, "cgroup.procs", SearchOption.AllDirectories))
                {
                    File.WriteAllText(procs, "");
                }

                break;
            default:
                Assert.True(File.Exists(path), $"{path} does not exist");
                File.WriteAllText(path, value);
                break;
        }
    }

    public void Kill(int pid) => throw new InvalidOperationException("cgroup.kill is there");

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static void AddFiles(string folder, string controllers)
    {
        foreach (string file in controllers.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).SelectMany(c => Files.GetValueOrDefault(c, [])))
        {
            if (!File.Exists(folder + "/" + file))
            {
                File.WriteAllText(folder + "/" + file, "");
            }
        }
    }
}
