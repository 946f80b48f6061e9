using Google.Protobuf;
using NodeAgent.Grpc;

namespace NodeAgent.FakeCriRuntime;

/// <summary>How the fake treats a call, instead of doing it at once.</summary>
/// <param name="Delay">Waits this long first.</param>
/// <param name="Error">Answers with this instead of the normal response.</param>
/// <param name="Hang">Never answers.</param>
/// <param name="DoTheWork">True: the work is done even where the answer is an error or never comes.</param>
public sealed record Reaction(TimeSpan Delay = default, Status? Error = null, bool Hang = false, bool DoTheWork = false)
{
    /// <summary>Waits, then does the work.</summary>
    public static Reaction Late(TimeSpan delay) => new(delay, DoTheWork: true);

    /// <summary>Fails without doing anything.</summary>
    public static Reaction Fail(StatusCode code, string message) => new(Error: new Status(code, message));

    /// <summary>Does the work, then fails: the answer that got lost.</summary>
    public static Reaction FailAfterwards(StatusCode code, string message) => new(Error: new Status(code, message), DoTheWork: true);

    /// <summary>Does nothing and never answers.</summary>
    public static Reaction Never { get; } = new(Hang: true);

    /// <summary>Does the work and never answers.</summary>
    public static Reaction NeverAfterwards { get; } = new(Hang: true, DoTheWork: true);
}

/// <summary>What the fake is told to do differently, by call name.</summary>
public sealed class FakeBehaviour
{
    private readonly Lock _lock = new();
    private readonly List<Rule> _rules = [];

    private sealed class Rule(string method, Reaction reaction, int times, Func<IMessage, bool>? when)
    {
        public string Method { get; } = method;

        public Reaction Reaction { get; } = reaction;

        public int Left { get; set; } = times;

        public Func<IMessage, bool>? When { get; } = when;
    }

    /// <summary>Reacts so to calls of this name. Rules are asked in the order given; a used-up one is skipped.</summary>
    /// <param name="method">CRI name, e.g. StartContainer.</param>
    /// <param name="reaction">What to do.</param>
    /// <param name="times">For how many calls; by default for all.</param>
    /// <param name="when">Only for requests that satisfy this.</param>
    public FakeBehaviour On(string method, Reaction reaction, int times = int.MaxValue, Func<IMessage, bool>? when = null)
    {
        lock (_lock) _rules.Add(new Rule(method, reaction, times, when));
        return this;
    }

    /// <summary>Forgets all rules for a call.</summary>
    public void Clear(string method)
    {
        lock (_lock) _rules.RemoveAll(r => r.Method == method);
    }

    internal Reaction? Take(string method, IMessage request)
    {
        lock (_lock)
        {
            Rule? rule = _rules.Find(r => r.Method == method && r.Left > 0 && (r.When is null || r.When(request)));
            if (rule is null) return null;
            if (rule.Left != int.MaxValue) rule.Left--;
            return rule.Reaction;
        }
    }
}
