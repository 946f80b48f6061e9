using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Serialization;

/// <summary>One document of a YAML stream as JSON.</summary>
/// <param name="Root">The content; null for an empty document or a null.</param>
/// <param name="Line">The line the document starts at, from 1.</param>
/// <param name="Duplicates">Fields that are given twice in one object; the later value is in <paramref name="Root"/>.</param>
public sealed record YamlDocument(JsonNode? Root, int Line, IReadOnlyList<DuplicateField> Duplicates);

/// <summary>A field that is given more than once.</summary>
/// <param name="Path">Where, for example spec.containers[0].name.</param>
/// <param name="Line">The line of the second value, from 1; 0 when not known.</param>
public sealed record DuplicateField(string Path, int Line);
