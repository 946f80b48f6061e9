namespace NodeAgent.ObjectGenerator;

/// <summary>From the lines of api.schema to the files of src/Kubernetes.</summary>
internal static class Generator
{
    /// <summary>Yields path (relative to src/Kubernetes) and content of each generated file.</summary>
    public static IEnumerable<(string Path, string Content)> Generate(IEnumerable<string> schema)
    {
        List<ApiType> types = ApiSchema.Parse(schema);
        foreach (IGrouping<string, ApiType> group in types.GroupBy(t => t.Group))
        {
            string name = char.ToUpperInvariant(group.Key[0]) + group.Key[1..];
            yield return ($"Objects/{name}.g.cs", RecordWriter.Write(group));
        }
        yield return ("Objects/Resources.g.cs", TableWriter.WriteResources(types));
        yield return ("Patches/PatchFacts.g.cs", TableWriter.WritePatchFacts(types));
    }
}
