using System.Text.Json;
using NodeAgent.ObjectGenerator;

// dotnet run --project build/ObjectGenerator                       writes the *.g.cs files of src/Kubernetes from api.schema
// dotnet run --project build/ObjectGenerator -- extract SWAGGER    writes api.schema from an OpenAPI v2 document (api/openapi-spec/swagger.json)
string root = FindRoot(AppContext.BaseDirectory);
string schema = Path.Combine(root, "build/ObjectGenerator/api.schema");

if (args is ["extract", var swagger])
{
    using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(swagger));
    File.WriteAllText(schema, string.Join('\n', SchemaExtractor.Extract(document.RootElement)) + "\n");
    return;
}
foreach ((string path, string content) in Generator.Generate(File.ReadLines(schema)))
{
    string file = Path.Combine(root, "src/Kubernetes", path);
    Directory.CreateDirectory(Path.GetDirectoryName(file)!);
    File.WriteAllText(file, content);
    Console.WriteLine(file);
}

static string FindRoot(string start)
{
    for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
        if (File.Exists(Path.Combine(folder.FullName, "NodeAgent.sln")))
            return folder.FullName;
    throw new InvalidOperationException($"no NodeAgent.sln above {start}");
}
