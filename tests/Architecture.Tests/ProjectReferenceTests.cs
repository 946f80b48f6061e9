using System.Xml.Linq;

namespace NodeAgent.Architecture.Tests;

public sealed class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["NodeAgent"] = ["Kubelet", "Proxy", "Cri", "Grpc", "Kubernetes", "Linux"],
        ["Kubelet"] = ["Cri", "Grpc", "Kubernetes", "Linux"],
        ["Proxy"] = ["Kubernetes", "Linux"],
        ["Cri"] = ["Grpc"],
        ["Grpc"] = [],
        ["Kubernetes"] = [],
        ["Linux"] = [],
    };

    private static readonly Dictionary<string, string[]> Packages = new()
    {
        ["NodeAgent"] = ["System.CommandLine", "Microsoft.Extensions.Logging"],
        ["Kubelet"] = ["Google.Protobuf", "Grpc.Tools", "Microsoft.Extensions.Logging.Abstractions"],
        ["Proxy"] = ["Microsoft.Extensions.Logging.Abstractions"],
        ["Cri"] = ["Google.Protobuf", "Grpc.Tools", "Microsoft.Extensions.Logging.Abstractions"],
        ["Grpc"] = ["Google.Protobuf", "Grpc.Tools", "Microsoft.Extensions.Logging.Abstractions"],
        ["Kubernetes"] = ["YamlDotNet", "Microsoft.Extensions.Logging.Abstractions"],
        ["Linux"] = ["Microsoft.Extensions.Logging.Abstractions"],
    };

    [Fact]
    public void Every_project_under_src_has_its_place_in_the_order() =>
        Assert.Equal(Allowed.Keys.Order(), Repository.Files("src", "*.csproj").Select(Path.GetFileNameWithoutExtension).Order());

    [Fact]
    public void Project_references_go_downwards_only() => Repository.AssertNone(
        from project in Repository.Files("src", "*.csproj")
        let name = Path.GetFileNameWithoutExtension(project)
        from target in Includes(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')))
        where !Allowed[name].Contains(target)
        select $"{name} may not reference {target}");

    [Fact]
    public void Assembly_references_go_downwards_only() => Repository.AssertNone(
        from name in Allowed.Keys
        from target in AssemblyFacts.Of(name).OwnReferences
        where !Allowed[name].Contains(target)
        select $"{name} may not reference {target}");

    [Fact]
    public void Packages_are_on_the_list() => Repository.AssertNone(
        from project in Repository.Files("src", "*.csproj")
        let name = Path.GetFileNameWithoutExtension(project)
        from package in Includes(project, "PackageReference")
        where !Packages[name].Contains(package)
        select $"{name} takes package {package}: give it a line with its reason in ARCHITECTURE.md, then allow it here");

    [Fact]
    public void Every_package_of_src_has_its_reason_in_ARCHITECTURE()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "ARCHITECTURE.md"));
        string[] packages = [.. Repository.Files("src", "*.csproj").SelectMany(project => Includes(project, "PackageReference")).Distinct()];
        Repository.AssertNone(packages.Where(package => !text.Contains($"`{package}`", StringComparison.Ordinal)));
    }

    [Fact]
    public void Package_versions_are_central() => Repository.AssertNone(
        from project in Repository.Files(".", "*.csproj")
        where XDocument.Load(project).Descendants("PackageReference").Any(item => item.Attribute("Version") is not null)
        select Repository.Relative(project));

    private static IEnumerable<string> Includes(string project, string item) =>
        XDocument.Load(project).Descendants(item).Select(element => (string?)element.Attribute("Include")).OfType<string>();
}
