using NodeAgent.Kubernetes.Configuration;
using NodeAgent.Kubernetes.Configuration.Flags;

namespace NodeAgent.Kubernetes.Tests.Configuration;

public sealed class FlagSetTests
{
    private static readonly FlagSet Set = new("tool",
    [
        new("name", FlagKind.Text, "", ""),
        new("on", FlagKind.Bool, "", ""),
        new("count", FlagKind.Int32, "", ""),
        new("wait", FlagKind.Duration, "", ""),
        new("items", FlagKind.TextList, "", ""),
        new("labels", FlagKind.TextMap, "", ""),
        new("limits", FlagKind.ThresholdMap, "", ""),
        new("headers", FlagKind.HeaderMap, "", ""),
        new("taints", FlagKind.Taints, "", ""),
        new("at", FlagKind.IPAddressPort, "", ""),
        new("old-one", FlagKind.Text, "", "") { Deprecation = "use --name" },
        new("v", FlagKind.Int32, "", "") { Shorthand = 'v' },
    ]);

    [Theory]
    [InlineData("--name=a=b", "a=b")]
    [InlineData("--name|a b", "a b")]
    [InlineData("--name|--on", "--on")]
    [InlineData("--name=", "")]
    public void A_value_follows_an_equals_sign_or_is_the_next_word(string line, string value) => Assert.Equal(value, Good(line).Text("name", "unset"));

    [Theory]
    [InlineData("--on", true)]
    [InlineData("--on=false", false)]
    [InlineData("--on=T", true)]
    [InlineData("--on=0", false)]
    public void A_switch_needs_no_value(string line, bool value) => Assert.Equal(value, Good(line).Bool("on", !value));

    [Theory]
    [InlineData("-v=3", 3)]
    [InlineData("-v3", 3)]
    [InlineData("-v|3", 3)]
    [InlineData("--v=0x10", 16)]
    [InlineData("--v=017", 15)]
    [InlineData("--v=-2", -2)]
    public void Numbers_are_read_as_Go_does(string line, int value) => Assert.Equal(value, Good(line).Int32("v", 99));

    [Fact]
    public void Underscores_stand_for_hyphens_and_deprecated_flags_warn()
    {
        ParsedFlags flags = Set.Parse(["--old_one=x"]);
        Assert.Equal("x", flags.Text("old-one"));
        Assert.Equal(ConfigurationProblemKind.Deprecated, Assert.Single(flags.Problems).Kind);
    }

    [Fact]
    public void Lists_and_maps_grow_when_repeated()
    {
        ParsedFlags flags = Good("--items=a,\"b,c\"|--items=d|--labels=x=1,y=a=b|--labels=z=|--limits=memory<5%|--headers=a:1,a:2");
        Assert.Equal("[\"a\",\"b,c\",\"d\"]", flags.Value("items")!.ToJsonString());
        Assert.Equal(["x=1", "y=a=b", "z="], flags.TextMap("labels").Select(p => $"{p.Key}={p.Value}"));
        Assert.Equal("{\"memory\":\"5%\"}", flags.Value("limits")!.ToJsonString());
        Assert.Equal("{\"a\":[\"1\",\"2\"]}", flags.Value("headers")!.ToJsonString());
    }

    [Fact]
    public void Taints_are_read_with_and_without_value() =>
        Assert.Equal("""[{"key":"a","effect":"NoSchedule","value":"b"},{"key":"c","effect":"NoExecute"}]""",
            Good("--taints=a=b:NoSchedule,c:NoExecute").Value("taints")!.ToJsonString());

    [Fact]
    public void An_empty_address_leaves_what_was_set_before() => Assert.False(Good("--at=").Has("at"));

    [Fact]
    public void All_mistakes_are_told_at_once_with_the_nearest_name()
    {
        ParsedFlags flags = Set.Parse(["--cuont=3", "--zzzzzzzzz", "value", "--count=x", "--wait=5", "stray", "-q", "--name"]);
        Assert.Equal(["--cuont", "--zzzzzzzzz", "stray", "-q", "--name", "--count", "--wait"], flags.Problems.Select(p => p.Path));
        Assert.Contains("--count", flags.Problems[0].Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1h2m3.5s", 3723.5)]
    [InlineData("100ms", 0.1)]
    [InlineData("-1m", -60)]
    [InlineData("0", 0)]
    [InlineData("1.5h", 5400)]
    public void Durations_are_read_as_Go_does(string text, double seconds)
    {
        Assert.True(GoDuration.TryParse(text, out TimeSpan duration));
        Assert.Equal(TimeSpan.FromSeconds(seconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("1d")]
    [InlineData(".s")]
    [InlineData("-")]
    [InlineData("1s ")]
    [InlineData("99999999999999h")]
    public void What_Go_refuses_is_no_duration(string text) => Assert.False(GoDuration.TryParse(text, out _));

    [Theory]
    [InlineData("3600s", "1h0m0s")]
    [InlineData("90s", "1m30s")]
    [InlineData("100ms", "100ms")]
    [InlineData("0s", "0s")]
    [InlineData("1500us", "1.5ms")]
    [InlineData("-2h45m", "-2h45m0s")]
    public void Durations_are_written_as_Go_does(string text, string written)
    {
        Assert.True(GoDuration.TryParse(text, out TimeSpan duration));
        Assert.Equal(written, GoDuration.Format(duration));
    }

    [Theory]
    [InlineData("NoSuchGate", true)]
    [InlineData("ImageVolume", false)]
    public void Unknown_gates_and_changed_locked_gates_are_refused(string name, bool value) =>
        Assert.True(Assert.Single(FeatureGates.Create(new Dictionary<string, bool> { [name] = value }, "x").Problems).IsFatal(strict: false));

    [Fact]
    public void A_gate_whose_need_is_off_is_refused()
    {
        ConfigurationResult<FeatureGates> gates = FeatureGates.Create(new Dictionary<string, bool> { ["ContainerRestartRules"] = false }, "x");
        Assert.Contains(gates.Problems, p => p.Path == "featureGates[RestartAllContainersOnContainerExits]");
    }

    [Fact]
    public void AllAlpha_turns_alpha_gates_on_but_not_those_that_are_set()
    {
        FeatureGates gates = FeatureGates.Create(new Dictionary<string, bool> { ["AllAlpha"] = true, ["EventedPLEG"] = false }, "x").Value;
        Assert.True(gates.IsEnabled("MemoryQoS"));
        Assert.False(gates.IsEnabled("EventedPLEG"));
        Assert.True(gates.IsEnabled("ImageVolume"));
    }

    private static ParsedFlags Good(string line)
    {
        ParsedFlags flags = Set.Parse(line.Split('|'));
        Assert.Empty(flags.Problems);
        return flags;
    }
}
