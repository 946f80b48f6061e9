using System.Text.Json.Nodes;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>All fields of one configuration kind: reads it from JSON, writes it, and sets single fields by path.</summary>
/// <typeparam name="TRecord">An immutable record whose parameterless constructor gives the defaults.</typeparam>
/// <param name="apiVersion">Group and version of the kind.</param>
/// <param name="kind">The kind.</param>
public sealed class ConfigurationTable<TRecord>(string apiVersion, string kind)
    where TRecord : new()
{
    private readonly List<ConfigurationField<TRecord>> fields = [];
    private readonly Dictionary<string, ConfigurationField<TRecord>> byPath = new(StringComparer.Ordinal);
    private readonly HashSet<string> groups = new(StringComparer.Ordinal);

    /// <summary>Group and version of the kind.</summary>
    public string ApiVersion => apiVersion;

    /// <summary>The kind.</summary>
    public string Kind => kind;

    /// <summary>The fields in the order they were added.</summary>
    public IReadOnlyList<ConfigurationField<TRecord>> Fields => fields;

    /// <summary>Adds a field whose zero value is a value of its own (a Go pointer).</summary>
    public ConfigurationTable<TRecord> Pointer<TValue>(
        string path, FieldKind<TValue> kind, Func<TRecord, TValue> get, Func<TRecord, TValue, TRecord> set, SupportState state = SupportState.Supported) =>
        Add(new ConfigurationField<TRecord, TValue>(path, kind, get, set, new FieldOptions(state, ZeroIsUnset: false)));

    /// <summary>Adds a field whose zero value means the default.</summary>
    public ConfigurationTable<TRecord> Value<TValue>(
        string path, FieldKind<TValue> kind, Func<TRecord, TValue> get, Func<TRecord, TValue, TRecord> set, SupportState state = SupportState.Supported) =>
        Add(new ConfigurationField<TRecord, TValue>(path, kind, get, set, new FieldOptions(state, ZeroIsUnset: true)));

    /// <summary>Reads <paramref name="root"/> over the defaults. Every problem is reported; fields not read keep their default.</summary>
    /// <param name="root">The object of the file.</param>
    /// <param name="source">The file's name, for messages.</param>
    public ConfigurationResult<TRecord> Decode(JsonObject root, string source)
    {
        ArgumentNullException.ThrowIfNull(root);
        List<ConfigurationProblem> problems = [];
        TRecord record = new();
        Walk(root, "", source, problems, ref record);
        return new ConfigurationResult<TRecord>(record, problems);
    }

    /// <summary>The record as a file holds it, with apiVersion and kind. Fields without a value are left out.</summary>
    public JsonObject Encode(TRecord record)
    {
        JsonObject root = new() { ["apiVersion"] = ApiVersion, ["kind"] = Kind };
        foreach (ConfigurationField<TRecord> field in fields)
        {
            if (field.Write(record) is { } value)
                Place(root, field.Path, value);
        }
        return root;
    }

    /// <summary>The record with one field set, as by a flag.</summary>
    /// <returns>False when the value is not of the field's kind.</returns>
    /// <exception cref="ArgumentException">No such field.</exception>
    public bool TrySet(TRecord record, string path, JsonNode value, out TRecord result)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!byPath.TryGetValue(path, out ConfigurationField<TRecord>? field))
            throw new ArgumentException($"{Kind} has no field {path}", nameof(path));
        return field.TrySet(record, value, out result);
    }

    /// <summary>Fields that differ from the default although nothing acts on them yet.</summary>
    /// <param name="record">What is in force.</param>
    /// <param name="defaults">What would be without the user's settings, derived defaults included.</param>
    /// <param name="source">What messages name as the place.</param>
    public IEnumerable<ConfigurationProblem> WithoutEffect(TRecord record, TRecord defaults, string source)
    {
        foreach (ConfigurationField<TRecord> field in fields.Where(f => f.State == SupportState.NoEffectYet))
        {
            if (!JsonNode.DeepEquals(field.Write(record), field.Write(defaults)))
            {
                yield return new ConfigurationProblem(ConfigurationProblemKind.NoEffect, source, field.Path,
                    "is set away from its default but has no effect in this release", "see docs/compatibility.md");
            }
        }
    }

    private ConfigurationTable<TRecord> Add(ConfigurationField<TRecord> field)
    {
        fields.Add(field);
        byPath.Add(field.Path, field);
        for (int dot = field.Path.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = field.Path.IndexOf('.', dot + 1))
            groups.Add(field.Path[..dot]);
        return this;
    }

    private void Walk(JsonObject node, string prefix, string source, List<ConfigurationProblem> problems, ref TRecord record)
    {
        foreach ((string name, JsonNode? value) in node)
        {
            string path = prefix.Length == 0 ? name : $"{prefix}.{name}";
            if (byPath.TryGetValue(path, out ConfigurationField<TRecord>? field))
                ReadField(field, value, source, problems, ref record);
            else if (groups.Contains(path))
                WalkGroup(value, path, source, problems, ref record);
            else if (path is not ("apiVersion" or "kind"))
                problems.Add(Unknown(source, path));
        }
    }

    private void WalkGroup(JsonNode? value, string path, string source, List<ConfigurationProblem> problems, ref TRecord record)
    {
        if (value is JsonObject group)
            Walk(group, path, source, problems, ref record);
        else if (value is not null)
            problems.Add(Mismatch(source, path, "an object", value));
    }

    private static void ReadField(
        ConfigurationField<TRecord> field, JsonNode? value, string source, List<ConfigurationProblem> problems, ref TRecord record)
    {
        if (value is null)
            return;
        List<string> unknown = [];
        if (!field.TryRead(record, value, unknown, out TRecord result))
            problems.Add(Mismatch(source, field.Path, field.KindName, value));
        record = result;
        problems.AddRange(unknown.Select(inner => Unknown(source, $"{field.Path}{inner}")));
    }

    private static ConfigurationProblem Unknown(string source, string path) =>
        new(ConfigurationProblemKind.UnknownField, source, path, "unknown field", "remove it or correct its name");

    private static ConfigurationProblem Mismatch(string source, string path, string expected, JsonNode value) =>
        new(ConfigurationProblemKind.Invalid, source, path, $"cannot use {Shorten(value.ToJsonString())}", $"give {expected}");

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..77] + "...";

    private static void Place(JsonObject root, string path, JsonNode value)
    {
        string[] parts = path.Split('.');
        JsonObject place = root;
        foreach (string part in parts[..^1])
        {
            if (place[part] is not JsonObject inner)
                place[part] = inner = [];
            place = inner;
        }
        place[parts[^1]] = value;
    }
}
