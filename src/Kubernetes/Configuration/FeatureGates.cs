using System.Collections.Frozen;

namespace NodeAgent.Kubernetes.Configuration;

/// <summary>How far a feature is.</summary>
public enum FeatureStage
{
    /// <summary>Off by default, may go away.</summary>
    Alpha,

    /// <summary>Tested, may still change.</summary>
    Beta,

    /// <summary>Here to stay.</summary>
    GA,

    /// <summary>Going away.</summary>
    Deprecated,
}

/// <summary>What is known of one feature gate.</summary>
/// <param name="Name">Its name as users write it.</param>
/// <param name="Default">Whether it is on without being set.</param>
/// <param name="Stage">How far it is.</param>
/// <param name="Locked">Whether it can no longer be changed.</param>
/// <param name="Needs">Gates that must be on when this one is.</param>
public sealed record FeatureGateSpec(string Name, bool Default, FeatureStage Stage, bool Locked, IReadOnlyList<string> Needs);

/// <summary>Which features are on. Immutable; one instance for each component.</summary>
public sealed class FeatureGates
{
    private readonly FrozenDictionary<string, bool> enabled;

    private FeatureGates(Dictionary<string, bool> enabled) => this.enabled = enabled.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The defaults of this Kubernetes release.</summary>
    public static FeatureGates Defaults { get; } = new(KnownFeatureGates.All.ToDictionary(g => g.Name, g => g.Default, StringComparer.Ordinal));

    /// <summary>Whether a feature is on.</summary>
    /// <exception cref="ArgumentException">The gate does not exist: a mistake in the calling code.</exception>
    public bool IsEnabled(string name) =>
        enabled.TryGetValue(name, out bool on) ? on : throw new ArgumentException($"there is no feature gate {name}", nameof(name));

    /// <summary>All gates and their state, by name.</summary>
    public IEnumerable<KeyValuePair<string, bool>> All => enabled.OrderBy(p => p.Key, StringComparer.Ordinal);

    /// <summary>Applies what a user has set. Unknown names, changed locked gates and unmet needs are all reported.</summary>
    public static ConfigurationResult<FeatureGates> Create(IReadOnlyDictionary<string, bool> settings, string source)
    {
        ArgumentNullException.ThrowIfNull(settings);
        List<ConfigurationProblem> problems = [];
        Dictionary<string, bool> state = KnownFeatureGates.All.ToDictionary(g => g.Name, g => g.Default, StringComparer.Ordinal);
        Dictionary<string, FeatureGateSpec> known = KnownFeatureGates.All.ToDictionary(g => g.Name, StringComparer.Ordinal);
        SetStage(settings, "AllAlpha", FeatureStage.Alpha, state);
        SetStage(settings, "AllBeta", FeatureStage.Beta, state);
        foreach ((string name, bool value) in settings.Where(s => s.Key is not ("AllAlpha" or "AllBeta")))
        {
            if (!known.TryGetValue(name, out FeatureGateSpec? gate))
                problems.Add(Invalid(source, name, "unrecognized feature gate", Suggest(name)));
            else if (gate.Locked && value != gate.Default)
                problems.Add(Invalid(source, name, $"cannot be set to {Go(value)}: it is locked to {Go(gate.Default)}", "remove it"));
            else
                state[name] = value;
        }
        problems.AddRange(UnmetNeeds(state, source));
        return new ConfigurationResult<FeatureGates>(new FeatureGates(state), problems);
    }

    private static void SetStage(IReadOnlyDictionary<string, bool> settings, string name, FeatureStage stage, Dictionary<string, bool> state)
    {
        if (!settings.TryGetValue(name, out bool value))
            return;
        foreach (FeatureGateSpec gate in KnownFeatureGates.All.Where(g => g.Stage == stage && !g.Locked && !settings.ContainsKey(g.Name)))
            state[gate.Name] = value;
    }

    private static IEnumerable<ConfigurationProblem> UnmetNeeds(Dictionary<string, bool> state, string source)
    {
        return from gate in KnownFeatureGates.All
               where state[gate.Name]
               from need in gate.Needs
               where state.TryGetValue(need, out bool needed) && !needed
               select Invalid(source, gate.Name, $"is on but needs {need}, which is off", $"set {need}=true or {gate.Name}=false");
    }

    private static ConfigurationProblem Invalid(string source, string name, string message, string remedy) =>
        new(ConfigurationProblemKind.Invalid, source, $"featureGates[{name}]", message, remedy);

    private static string Suggest(string name) => Flags.NameSuggestion.Closest(name, KnownFeatureGates.All.Select(g => g.Name)) is { } close
        ? $"did you mean {close}? Otherwise remove it"
        : "remove it";

    private static string Go(bool value) => value ? "true" : "false";
}
