using NodeAgent.ObjectGenerator;

// dotnet run --project build/ObjectGenerator [SCHEMA [TARGET]]: writes the *.g.cs files of src/Kubernetes.
string root = FindRoot(AppContext.BaseDirectory);
string schema = args.Length > 0 ? args[0] : Path.Combine(root, "build/ObjectGenerator/api.schema");
string target = args.Length > 1 ? args[1] : Path.Combine(root, "src/Kubernetes");

foreach ((string path, string content) in Generator.Generate(File.ReadLines(schema)))
{
    string file = Path.Combine(target, path);
    Directory.CreateDirectory(Path.GetDirectoryName(file)!);
    File.WriteAllText(file, content);
    Console.WriteLine(file);
}

static string FindRoot(string start)
{
    for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
        if (File.Exists(Path.Combine(folder.FullName, "NodeAgent.sln")))
            return folder.FullName;
    throw new InvalidOperationException($"no NodeAgent.sln above {start}: pass SCHEMA and TARGET");
}
