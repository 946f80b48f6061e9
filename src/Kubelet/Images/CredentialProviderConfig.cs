using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Serialization;

namespace NodeAgent.Kubelet.Images;

/// <summary>Reads and checks CredentialProviderConfig. Source: pkg/credentialprovider/plugin/config.go.</summary>
public static partial class CredentialProviderConfig
{
    private const string ProviderGroup = "credentialprovider.kubelet.k8s.io/";
    private static readonly string[] Versions = ["v1", "v1beta1", "v1alpha1"];
    private static readonly string[] ProviderFields = ["name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env", "tokenAttributes"];

    private static readonly string[] TokenFields =
        ["serviceAccountTokenAudience", "cacheType", "requireServiceAccount", "requiredServiceAccountAnnotationKeys", "optionalServiceAccountAnnotationKeys"];

    /// <summary>The providers of a file, or of all *.json, *.yaml and *.yml files of a folder in their names' order.</summary>
    /// <param name="path">--image-credential-provider-config.</param>
    /// <param name="binFolder">--image-credential-provider-bin-dir.</param>
    /// <exception cref="FormatException">All that is wrong, with file, field and remedy.</exception>
    public static IReadOnlyList<CredentialProviderOptions> Load(string path, string binFolder)
    {
        if (!Directory.Exists(binFolder))
        {
            throw new FormatException($"--image-credential-provider-bin-dir: folder {binFolder} does not exist");
        }

        List<string> problems = [];
        List<CredentialProviderOptions> providers = [];
        foreach (string file in Files(path))
        {
            providers.AddRange(Parse(file, File.ReadAllText(file), problems));
        }

        foreach (IGrouping<string, CredentialProviderOptions> twice in providers.GroupBy(p => p.Name).Where(g => g.Count() > 1))
        {
            problems.Add($"{path}: provider \"{twice.Key}\" is given {twice.Count()} times; names are unique over all files");
        }

        foreach (CredentialProviderOptions provider in providers.Where(p => IsName(p.Name) && !IsProgram(Path.Combine(binFolder, p.Name))))
        {
            problems.Add($"provider \"{provider.Name}\": {Path.Combine(binFolder, provider.Name)} is no program; put it there and make it executable");
        }

        return problems.Count == 0 ? providers : throw new FormatException(string.Join("; ", problems));
    }

    /// <summary>The providers of one document; what is wrong goes to the problems.</summary>
    internal static IReadOnlyList<CredentialProviderOptions> Parse(string file, string text, List<string> problems)
    {
        JsonNode? root;
        try
        {
            root = YamlJson.ParseStrict(text);
        }
        catch (FormatException e)
        {
            problems.Add($"{file}: {e.Message}");
            return [];
        }

        if ((string?)root?["kind"] != "CredentialProviderConfig" || !Versions.Any(v => (string?)root["apiVersion"] == "kubelet.config.k8s.io/" + v))
        {
            problems.Add($"{file}: is no CredentialProviderConfig of kubelet.config.k8s.io/v1");
            return [];
        }

        if (root["providers"] is not JsonArray { Count: > 0 } list)
        {
            problems.Add($"{file}: providers is empty; give at least one");
            return [];
        }

        var found = new List<CredentialProviderOptions>();
        for (int i = 0; i < list.Count; i++)
        {
            var reading = new Reading($"{file}: providers[{i}]", list[i], problems);
            found.Add(Provider(reading));
        }

        return found;
    }

    private static CredentialProviderOptions Provider(Reading r)
    {
        r.Known(ProviderFields);
        string name = r.Text("name");
        r.Require(IsName(name), "name", $"\"{name}\" is no file name: no '/', no spaces, neither '.' nor '..'");
        string version = r.Text("apiVersion");
        r.Require(Versions.Any(v => version == ProviderGroup + v), "apiVersion", $"\"{version}\" is not supported; use {ProviderGroup}v1");
        string[] images = r.Texts("matchImages");
        r.Require(images.Length > 0 && images.All(m => m.Length > 0 && !m.Contains(' ', StringComparison.Ordinal)), "matchImages", "needs at least one pattern such as *.registry.example");
        TimeSpan duration = default;
        r.Require(GoDuration.TryParse(r.Text("defaultCacheDuration"), out duration) && duration >= TimeSpan.Zero, "defaultCacheDuration", "is required, a duration of 0 or more such as 12h");
        return new CredentialProviderOptions(name, version, images, duration)
        {
            Args = r.Texts("args"),
            Env = [.. r.Objects("env").Select(e => (e.Text("name"), e.Text("value")))],
            Token = r.Object("tokenAttributes") is { } token ? Token(token, version) : null,
        };
    }

    private static CredentialTokenOptions Token(Reading r, string version)
    {
        r.Known(TokenFields);
        string audience = r.Text("serviceAccountTokenAudience"), cache = r.Text("cacheType");
        r.Require(audience.Length > 0, "serviceAccountTokenAudience", "is required");
        r.Require(cache is "Token" or "ServiceAccount", "cacheType", $"\"{cache}\" must be Token or ServiceAccount");
        bool? require = r.Flag("requireServiceAccount");
        r.Require(require is not null, "requireServiceAccount", "is required, true or false");
        r.Require(version == ProviderGroup + "v1", "", $"needs apiVersion {ProviderGroup}v1");
        string[] required = r.Texts("requiredServiceAccountAnnotationKeys"), optional = r.Texts("optionalServiceAccountAnnotationKeys");
        r.Require(require != false || required.Length == 0, "requiredServiceAccountAnnotationKeys", "may not be set while requireServiceAccount is false");
        r.Require(required.Concat(optional).All(k => AnnotationKey().IsMatch(k)), "", "has an annotation key that is no qualified name");
        r.Require(required.Concat(optional).Distinct().Count() == required.Length + optional.Length, "", "has an annotation key twice");
        return new CredentialTokenOptions(audience, cache == "Token", require ?? true) { RequiredAnnotations = required, OptionalAnnotations = optional };
    }

    private static string[] Files(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        string[] files = Directory.Exists(path) ? [.. Directory.GetFiles(path).Where(f => Path.GetExtension(f) is ".json" or ".yaml" or ".yml").Order(StringComparer.Ordinal)] : [];
        return files.Length > 0 ? files
            : throw new FormatException($"--image-credential-provider-config: {path} is neither a file nor a folder with *.json, *.yaml or *.yml files");
    }

    private static bool IsName(string name) => name.Length > 0 && name is not ("." or "..") && name.IndexOfAny(['/', ' ']) < 0;

    private static bool IsProgram(string path) =>
        File.Exists(path) && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;

    [GeneratedRegex(@"\A([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\z")]
    private static partial Regex AnnotationKey();

    /// <summary>One object of the document, with its place for problems.</summary>
    private sealed class Reading(string where, JsonNode? node, List<string> problems)
    {
        private readonly JsonObject _object = node as JsonObject ?? [];

        public void Known(string[] fields)
        {
            foreach (string field in _object.Select(p => p.Key).Except(fields))
            {
                problems.Add($"{where} has a field \"{field}\" that is not known");
            }
        }

        public void Require(bool holds, string field, string otherwise)
        {
            if (!holds)
            {
                problems.Add($"{where}{(field.Length > 0 ? "." + field : "")} {otherwise}");
            }
        }

        public string Text(string field)
        {
            if (_object[field] is not { } value)
            {
                return "";
            }

            bool isText = value is JsonValue v && v.TryGetValue(out string? _);
            Require(isText, field, "is no text");
            return isText ? value.GetValue<string>() : "";
        }

        public bool? Flag(string field) => _object[field] is JsonValue v && v.TryGetValue(out bool flag) ? flag : null;

        public string[] Texts(string field)
        {
            JsonArray list = _object[field] as JsonArray ?? [];
            string[] texts = [.. list.OfType<JsonValue>().Where(v => v.TryGetValue(out string? _)).Select(v => v.GetValue<string>())];
            Require(texts.Length == list.Count && _object[field] is null or JsonArray, field, "is no list of texts");
            return texts;
        }

        public IEnumerable<Reading> Objects(string field) => (_object[field] as JsonArray ?? []).Select((n, i) => new Reading($"{where}.{field}[{i}]", n, problems));

        public Reading? Object(string field) => _object[field] is { } value ? new Reading($"{where}.{field}", value, problems) : null;
    }
}
