using NodeAgent.ObjectGenerator;

namespace NodeAgent.Kubernetes.Tests.Objects;

public class GeneratedFilesTests
{
    [Fact]
    public void Checked_in_files_are_what_the_generator_writes()
    {
        string root = Root();
        List<(string Path, string Content)> files =
            [.. Generator.Generate(File.ReadLines(Path.Combine(root, "build/ObjectGenerator/api.schema")))];
        foreach ((string path, string content) in files)
            Assert.True(File.ReadAllText(Path.Combine(root, "src/Kubernetes", path)) == content,
                $"{path} is stale: dotnet run --project build/ObjectGenerator");
        IEnumerable<string> present = Directory.EnumerateFiles(Path.Combine(root, "src/Kubernetes/Objects"), "*.g.cs").Select(Path.GetFileName)!;
        Assert.Equal(files.Select(f => Path.GetFileName(f.Path)).Where(n => n != "PatchFacts.g.cs").Order(), present.Order());
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "NodeAgent.sln")))
            folder = folder.Parent;
        return folder!.FullName;
    }
}
