namespace NodeAgent.ObjectGenerator;

/// <summary>The C# side of a field: property name, type, default, and the calls that read and write it.</summary>
internal static class CSharpNames
{
    /// <summary>JSON name with an upper-case first letter; a member may not be named like its type, so that one gets "Value" added.</summary>
    public static string Property(ApiType type, ApiField field)
    {
        string name = char.ToUpperInvariant(field.Name[0]) + field.Name[1..];
        return name == type.Name ? name + "Value" : name;
    }

    /// <summary>The type of a value inside a list or map.</summary>
    public static string Element(ApiFieldType type) => type switch
    {
        { IsList: true } => $"IReadOnlyList<{Element(type.Element!)}>",
        { IsMap: true } => $"IReadOnlyDictionary<string, {Element(type.Element!)}>",
        { IsObject: true } => type.Name,
        _ => Scalar(type.Name),
    };

    /// <summary>The declared type of a field's property.</summary>
    public static string Declared(ApiType type, ApiField field)
    {
        string name = Element(field.Type);
        return NeverNull(type, field) || (field.Required && IsPlainValue(field.Type)) ? name : name + "?";
    }

    /// <summary>True for a reference that is never null: lists, maps, required texts and objects, a kind's metadata, spec and status.</summary>
    public static bool NeverNull(ApiType type, ApiField field) =>
        field.Type.IsList || field.Type.IsMap
        || IsKindName(type, field)
        || (field.Required && (field.Type.IsObject || field.Type.Name is "string" or "bytes"))
        || (type.Kind is not null && field.Type.IsObject && field.Name is "metadata" or "spec" or "status");

    /// <summary>The value of a never-null property that was not set.</summary>
    public static string Default(ApiType type, ApiField field)
    {
        if (IsKindName(type, field))
            return field.Name == "kind" ? $"\"{type.Kind!.Kind}\"" : $"\"{ApiVersion(type.Kind!)}\"";
        if (field.Type.IsMap)
            return $"ReadOnlyDictionary<string, {Element(field.Type.Element!)}>.Empty";
        if (field.Type.IsObject)
            return $"{field.Type.Name}.Empty";
        return field.Type.Name == "string" ? "\"\"" : "[]";
    }

    public static string ApiVersion(ApiKind kind) => kind.Group.Length == 0 ? kind.Version : $"{kind.Group}/{kind.Version}";

    /// <summary>The name of the entry in the table of resources.</summary>
    public static string ResourceProperty(ApiType type)
    {
        ApiKind kind = type.Kind!;
        string lower = kind.Kind.ToLowerInvariant();
        string suffix = kind.Plural.StartsWith(lower, StringComparison.Ordinal) && kind.Subresource is null ? kind.Plural[lower.Length..] : "s";
        return type.Name + suffix;
    }

    /// <summary>True for the metadata of a kind whose unread lists are skipped: of all but pods.</summary>
    public static bool IsPlainMetadata(ApiType type, ApiField field) => type.Kind is not null && type.Name != "Pod" && field.Type.Name == "ObjectMeta";

    /// <summary>The member of JsonFields that reads the value.</summary>
    public static string Reader(ApiFieldType type) => "Read" + type switch
    {
        { IsList: true } => type.Element! is { IsObject: true } e ? $"Objects<{e.Name}>" : Title(type.Element!.Name) + "List",
        { IsMap: true } => type.Element! switch
        {
            { IsObject: true } e => $"ObjectMap<{e.Name}>",
            { IsList: true } => "StringListMap",
            var e => Title(e.Name) + "Map",
        },
        { IsObject: true } => $"Object<{type.Name}>",
        _ => Title(type.Name),
    };

    /// <summary>The statement that writes the field.</summary>
    public static string Writer(ApiType type, ApiField field)
    {
        string property = Property(type, field);
        string name = $"\"{field.Name}\"u8";
        string verb = field.Type.Name switch
        {
            "time" => "WriteTime",
            "microTime" => "WriteMicroTime",
            _ => "Write",
        };
        string required = field.Required ? "Required" : "";
        if (field.Type.IsObject && NeverNull(type, field) && !field.Required)
            required = "Filled";
        if (IsPlainValue(field.Type) || IsKindName(type, field) || (field.Required && field.Type.Name == "string"))
            required = "";
        return $"JsonFields.{verb}{required}(writer, {name}, {property});";
    }

    /// <summary>True for apiVersion and kind of a kind.</summary>
    public static bool IsKindName(ApiType type, ApiField field) => type.Kind is not null && field.Name is "apiVersion" or "kind";

    private static bool IsPlainValue(ApiFieldType type) => type.Name is "int" or "long" or "bool" or "double" or "quantity" or "intOrString";

    private static string Title(string name) => char.ToUpperInvariant(name[0]) + name[1..];

    private static string Scalar(string name) => name switch
    {
        "quantity" => "Quantity",
        "intOrString" => "IntOrString",
        "time" or "microTime" => "DateTimeOffset",
        "bytes" => "byte[]",
        "raw" => "JsonElement",
        "unread" => "ReadOnlyMemory<byte>",
        _ => name,
    };
}
